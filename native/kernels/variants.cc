// The compiled variants and what this CPU can run of them. Compiled for the baseline CPU, as everything outside a
// variant's namespace.
#include "../kernels.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__linux__) && defined(__x86_64__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace lathe {

// The Makefile defines LATHE_WITH_… for what it compiles.
#define LATHE_DECLARE(variant) \
  namespace variant {          \
  extern const Kernels kernels; \
  }
LATHE_DECLARE(portable)
#if defined(__x86_64__)
LATHE_DECLARE(avx2)
LATHE_DECLARE(avx512)
LATHE_DECLARE(avx512bf16)
LATHE_DECLARE(amx)
LATHE_DECLARE(amx_emulated)
#endif

namespace {

#if defined(__x86_64__)

bool hasAvx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

bool hasAvx512() {
  return hasAvx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

bool hasAvx512Bf16() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return hasAvx512() && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && (eax >> 5 & 1);
}

// Linux keeps the tile registers from a process until it asks for them, once.
bool permitTiles() {
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

// cpuid leaf 7: AMX-BF16 and AMX-TILE; XCR0: the system saves both parts of the tile state.
bool hasAmx() {
  constexpr unsigned kBf16 = 1u << 22, kTile = 1u << 24, kXsave = 1u << 27, kTileState = 3u << 17;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & kXsave)) return false;
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) || !(edx & kBf16) || !(edx & kTile)) return false;
  unsigned low = 0, high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & kTileState) == kTileState && hasAvx512Bf16() && permitTiles();
}

#endif

}  // namespace

int variants(const Variant** list) {
  static const Variant all[] = {
#if defined(LATHE_WITH_amx)
      {&amx::kernels, hasAmx()},
#endif
#if defined(LATHE_WITH_avx512bf16)
      {&avx512bf16::kernels, hasAvx512Bf16()},
#endif
#if defined(LATHE_WITH_avx512)
      {&avx512::kernels, hasAvx512()},
#endif
#if defined(LATHE_WITH_avx2)
      {&avx2::kernels, hasAvx2()},
#endif
      {&portable::kernels, true},
#if defined(LATHE_WITH_amx_emulated)
      {&amx_emulated::kernels, hasAvx2()},
#endif
  };
  *list = all;
  return static_cast<int>(sizeof all / sizeof *all);
}

}  // namespace lathe
