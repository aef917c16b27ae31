// The kernel table: what one instruction-set variant offers to the runtime.
// Matrices are row-major, and f32 but for operands of products that are said to be halves.
// T queries, S keys, H heads, d model width, V vocabulary.
#pragma once
#include <cstddef>
#include <cstdint>

namespace lathe {

// What the operands of a matrix product are rounded to; sums are always f32.
enum class Precision : int32_t { F32 = 0, BF16 = 1 };

// An operand of a product: element (i, j) lies at data[i*rs + j*cs], so a transpose is free. Values are f32, or bf16 where
// they are halves: then one step is 1, the other a multiple of 32, and rows that run along K are filled up with zeros to
// one.
struct Strided {
  const void* data;
  int64_t rs, cs;
  bool halves = false;
};

// One worker's temporary memory: a kernel takes what it needs, the runtime resets it between kernels.
// Blocks are 64-byte aligned and stay valid until reset() or the end of the Frame they were taken in.
class Scratch {
 public:
  // Gives back, when it goes out of scope, whatever was taken since it was made; frames nest.
  class Frame {
   public:
    explicit Frame(Scratch&);
    ~Frame();
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;

   private:
    Scratch& scratch_;
    int current_;
    size_t used_;
  };

  Scratch() = default;
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  void* take(size_t bytes);  // throws std::bad_alloc
  // Always inlined: a copy compiled for one instruction set must not serve another.
  template <class T>
  __attribute__((always_inline)) T* array(size_t n) {
    return static_cast<T*>(take(n * sizeof(T)));
  }
  void reset();

 private:
  struct Block { char* data; size_t size, used; };
  Block blocks_[32];
  int count_ = 0, current_ = 0;
};

// What a kernel reads or writes element by element: f32, or bf16 where it is of halves. What is written is contiguous.
struct Input {
  const void* data;
  bool halves;
};
struct Output {
  void* data;
  bool halves;
};

struct Attention {
  int64_t T, S, nHeads, dHead, dHeadValue;
  bool causal;               // query i sees key j only when j <= start + i
  float scale;               // on the scores, in f32
  int64_t start;             // query i stands at row start + i of the keys
  int64_t seen;              // nobody sees keys from this row on
  const int32_t* segments;   // [S] or null: query i sees key j only when segments[start + i] == segments[j]
  Strided q, k, v;           // [T, H*dHead], [S, H*dHead], [S, H*dHeadValue], cs = 1
  // What attention writes and attentionGrad reads. Attention leaves out lse and weights where they are null; its
  // gradient takes the weights where there are any, else makes them again from lse.
  Output out;      // [T, H*dHeadValue]; the gradient rounds it as operands are
  float* lse;      // [H, T] log-sum-exp of the scaled scores
  // [H, T, ldWeights + 1] room for the softmax of the scaled scores, as operands of products: how they lie there is the
  // variant's own affair.
  float* weights;
  int64_t ldWeights;  // S filled up to 16s
};

struct AttentionGrad {
  const float* dout;  // [T, H*dHeadValue]
  Output dq, dk, dv;  // overwritten
  const float *turnsQ, *turnsK;  // ropeTables by which dq and dk are turned back, or null
};

struct Norm {
  int64_t rows, cols;
  bool center;          // true: LayerNorm, false: RMSNorm
  float eps;
  const float *x, *gain, *bias;  // gain, bias: [cols] or null
};

struct CrossEntropy {
  int64_t T, d, V;
  Strided x;               // [T, d]
  const void* packedW;     // pack(K = d, N = V) of the head: logits = x . W
  const void* packedWT;    // pack(K = V, N = d): only for the gradient
  const int32_t* targets;  // [T]; a negative target has loss 0 and no gradient
};

// One instruction of a fused pass: registers 0 … nOperands-1 are operands, then results in order; -1 - i is constant i.
struct ElementwiseOp {
  int32_t code;   // a Unary, or one of the codes below
  int32_t write;  // which of the writes gets the result; -1: none, it stays in L1
  int32_t a, b, c;
};
enum Unary : int32_t {
  kNeg, kExp, kLog, kSqrt, kReciprocal, kSquare, kAbs, kRelu, kStep, kGelu, kSigmoid, kSilu, kSoftplus, kTanh, kUnary,
};
enum : int32_t {
  kAdd = kUnary, kSub, kMul, kDiv, kWhere, kCopy,
  kDerivative,  // of the op before it, which has the same operand; rounded as operands of products are
};

struct Elementwise {
  Precision precision;
  int64_t rows, cols;  // the result's
  int nOperands, nOps, nConstants, nWrites;
  const Input* operands;
  const int64_t* steps;  // per operand: elements from row to row, and from column to column (0 or 1; 1 for halves)
  const ElementwiseOp* ops;
  const float* constants;
  const Output* writes;
  const bool* adds;  // per write: add to what is there, which is f32
};

struct Kernels {
  const char* name;  // "amx", "avx512bf16", "avx512", "avx2", "portable", "amx-emulated"

  // B [K, N] into the panel form that matmul reads.
  size_t (*packedBytes)(Precision, int64_t K, int64_t N);
  void (*pack)(Precision, int64_t K, int64_t N, Strided B, void* packed);
  // C [M, N] = from + A [M, K] . B; from lies as C does, may be C, or null for zeros. `then`, or null, is computed from rows
  // of C as they are made: its operand 0 is C. Where nothing else wants C, and from is null, C may be null, too.
  void (*matmul)(Precision, int64_t M, int64_t N, int64_t K, Strided A, const void* packedB, const float* from, float* C,
                 int64_t ldc, const Elementwise* then, Scratch&);

  void (*attention)(Precision, const Attention&, Scratch&);
  void (*attentionGrad)(Precision, const Attention&, const AttentionGrad&, Scratch&);

  // The turns of rows at positions[r], or at start + r where positions is null, by position * base^(-i/half): of each row the
  // cosines of its pairs, then their sines: [rows, 2*half].
  void (*ropeTable)(float base, int64_t start, const int32_t* positions, int64_t rows, int64_t half, float* table, Scratch&);
  // y = x [T, nHeads*dHead], the pairs (i, i + dHead/2) of each head turned by the table's rows (direction 1), or back (-1).
  void (*rope)(const float* table, int64_t T, int64_t nHeads, int64_t dHead, float direction, const float* x, Output y,
               Scratch&);

  void (*norm)(const Norm&, Output y);
  // dx = from + the gradient of x, from null for zeros; dgain and dbias ([cols], may be null) get the sum over rows, added
  // when accumulate is set.
  void (*normGrad)(const Norm&, const float* dy, const float* from, float* dx, float* dgain, float* dbias, bool accumulate,
                   Scratch&);

  void (*softmax)(int64_t rows, int64_t cols, const float* x, float* y);

  // losses [T] in nats, predictions [T] (arg-max, lowest index on ties), lse [T].
  void (*crossEntropy)(Precision, const CrossEntropy&, float* losses, int32_t* predictions, float* lse, Scratch&);
  // dx [T, d] overwritten; dW [V, d] (row v = gradient of logit v's weights), added when accumulate is set.
  void (*crossEntropyGrad)(Precision, const CrossEntropy&, const float* lse, const float* dlosses, float* dx, float* dW,
                           bool accumulate, Scratch&);

  // y = f(x), n values; kinds are the Unary enum. slope = f'(x), unless its data are null: of GELU and SiLU.
  void (*unary)(int32_t kind, int64_t n, const float* x, float* y, Output slope);

  // A chain of elementwise ops in one pass over memory.
  void (*elementwise)(const Elementwise&, Scratch&);

  // y = the sums of x [rows, columns] over what is not kept, added when add is set.
  void (*sumTo)(int64_t rows, int64_t columns, bool keepRows, bool keepColumns, const float* x, float* y, bool add);
  // into [n] = the sum of `count` parts in their order, after what is there when add is set. Returns the sum of its squares.
  double (*addUp)(int count, const float* const* parts, int64_t n, bool add, float* into);

  // Multiply-adds from registers and L1 as fast as they issue, for a measured ceiling. Returns the FLOPs done; 0 where
  // the variant has no instruction for the precision.
  double (*peak)(Precision, int64_t rounds);
  // The sum of n numbers, read `rounds` times; n is a multiple of 128.
  float (*readAll)(const float* data, int64_t n, int64_t rounds);
};

// The variants compiled into this addon, best first, and whether this CPU can run each.
struct Variant {
  const Kernels* kernels;
  bool supported;
};
int variants(const Variant** list);

}  // namespace lathe
