#include "gemm.h"
#include "variant.h"

#define LATHE_TEXT_OF(name) #name
#define LATHE_TEXT(name) LATHE_TEXT_OF(name)

namespace lathe::LATHE_VARIANT {

static void matmul(Precision precision, int64_t M, int64_t N, int64_t K, Strided A, const void* packedB,
                   const float* from, float* C, int64_t ldc, const Elementwise* then, Scratch& scratch) {
  multiply(precision, M, N, K, A, {packedB, K}, from, C, ldc, scratch, then);
}

extern const Kernels kernels;
const Kernels kernels = {
#if defined(LATHE_AMX_EMULATED)
    "amx-emulated",
#else
    LATHE_TEXT(LATHE_VARIANT),
#endif
    packedBytes, pack, matmul, attention, attentionGrad, ropeTable, rope, norm, normGrad, softmax, crossEntropy,
    crossEntropyGrad, unary, elementwise, sumTo, addUp, peak, readAll};

}  // namespace lathe::LATHE_VARIANT
