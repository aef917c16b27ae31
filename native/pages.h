// Memory for numbers: on lines of cache, and large pieces on huge pages where the system gives them on request.
#pragma once
#include <cstdlib>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace lathe {

// To be given back with std::free; throws std::bad_alloc.
inline void* takeMemory(size_t bytes) {
  constexpr size_t kLine = 64, kHugePage = size_t{2} << 20;
  void* data = nullptr;
  const bool huge = bytes >= kHugePage;
  if (posix_memalign(&data, huge ? kHugePage : kLine, bytes) != 0) throw std::bad_alloc();
#if defined(__linux__)
  if (huge) madvise(data, bytes, MADV_HUGEPAGE);  // a wish: without it all is as before
#endif
  return data;
}

}  // namespace lathe
