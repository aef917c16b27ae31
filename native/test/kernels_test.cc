// Every kernel of every variant that this CPU can run, against plain loops in double precision.
//   kernels_test [VARIANT]
#include <chrono>

#include "check.h"

using namespace lathe;
using namespace lathe::test;

static void testScratch() {
  Scratch scratch;
  auto* first = scratch.array<char>(100);
  check(reinterpret_cast<uintptr_t>(first) % 64 == 0, "scratch: a block is not 64-byte aligned");
  char *inner, *large;
  {
    Scratch::Frame frame(scratch);
    inner = scratch.array<char>(1);
    large = scratch.array<char>(5 << 20);
    std::memset(large, 1, 5 << 20);
    check(inner == first + 128, "scratch: blocks are not neighbours");
  }
  check(scratch.array<char>(1) == inner, "scratch: a frame did not give back what was taken in it");
  check(scratch.array<char>(5 << 20) == large, "scratch: a frame did not give back a large block");
  scratch.reset();
  auto* whole = scratch.array<char>(6 << 20);
  std::memset(whole, 1, 6 << 20);
  scratch.reset();
  check(scratch.array<char>(6 << 20) == whole, "scratch: reset did not give back everything");
}

int main(int argc, char** argv) {
  testScratch();
  const struct {
    const char* name;
    void (*run)(const Kernels&);
  } families[] = {{"matmul", testMatmul},   {"attention", testAttention}, {"cross-entropy", testCrossEntropy},
                  {"norm", testNorm},       {"softmax", testSoftmax},     {"unary", testUnary},
                  {"elementwise", testElementwise}, {"sums", testSums}};
  const Variant* list;
  const int count = variants(&list);
  bool found = argc < 2;
  for (int i = 0; i < count; ++i) {
    const Kernels& kernels = *list[i].kernels;
    if (argc > 1 && std::strcmp(argv[1], kernels.name) != 0) continue;
    found = true;
    if (!list[i].supported) {
      std::printf("%-13s not run: this CPU does not have it\n", kernels.name);
      continue;
    }
    for (const auto& family : families) {
      const int passedBefore = passed, failedBefore = failed;
      worst = 0;
      const auto start = std::chrono::steady_clock::now();
      family.run(kernels);
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      std::printf("%-13s %-14s %6d passed %3d failed, worst error %.2f of what is allowed, %.2f s\n", kernels.name,
                  family.name, passed - passedBefore, failed - failedBefore, worst, seconds);
      std::fflush(stdout);
    }
  }
  check(found, "no variant is named %s", argc > 1 ? argv[1] : "");
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed ? 1 : 0;
}
