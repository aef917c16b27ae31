#include <cstdlib>
#include <new>

#include "../kernels.h"
#include "../pages.h"

namespace lathe {

namespace {

constexpr size_t kLine = 64;
constexpr size_t kFirstBlock = size_t{1} << 20;

size_t roundUp(size_t bytes) { return (bytes + kLine - 1) / kLine * kLine; }

char* allocate(size_t bytes) { return static_cast<char*>(takeMemory(bytes)); }

}  // namespace

Scratch::~Scratch() {
  for (int i = 0; i < count_; ++i) std::free(blocks_[i].data);
}

void* Scratch::take(size_t bytes) {
  bytes = roundUp(bytes);
  // Blocks after the current one are empty; one that is too small is passed over until the next reset.
  while (current_ < count_ && blocks_[current_].size - blocks_[current_].used < bytes) ++current_;
  if (current_ == count_) {
    if (count_ == 32) throw std::bad_alloc();
    const size_t twice = count_ ? 2 * blocks_[count_ - 1].size : kFirstBlock;
    const size_t size = bytes > twice ? bytes : twice;
    blocks_[count_] = {allocate(size), size, 0};
    ++count_;
  }
  Block& block = blocks_[current_];
  char* data = block.data + block.used;
  block.used += bytes;
  return data;
}

void Scratch::reset() {
  if (count_ > 1) {  // one block of the whole size, so that the next round does not search
    size_t size = 0;
    for (int i = 0; i < count_; ++i) {
      size += blocks_[i].size;
      std::free(blocks_[i].data);
    }
    count_ = 0;
    blocks_[0] = {allocate(size), size, 0};
    count_ = 1;
  }
  if (count_) blocks_[0].used = 0;
  current_ = 0;
}

Scratch::Frame::Frame(Scratch& scratch)
    : scratch_(scratch),
      current_(scratch.current_),
      used_(scratch.current_ < scratch.count_ ? scratch.blocks_[scratch.current_].used : 0) {}

Scratch::Frame::~Frame() {
  for (int i = current_; i < scratch_.count_; ++i) scratch_.blocks_[i].used = i == current_ ? used_ : 0;
  scratch_.current_ = current_;
}

}  // namespace lathe
