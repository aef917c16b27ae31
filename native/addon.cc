// The Node-API surface. Arrays of numbers come in as Float64Array, memory as typed arrays whose buffers are used in place;
// runs go to the thread pool and come back as promises.
#include <node_api.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>

#include "executable.h"

namespace {

using namespace lathe;

struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void check(napi_status status, const char* what) {
  if (status != napi_ok) throw Failure(what);
}

napi_value property(napi_env env, napi_value object, const char* name) {
  napi_value value;
  check(napi_get_named_property(env, object, name, &value), name);
  return value;
}

double number(napi_env env, napi_value value, const char* what) {
  double x;
  check(napi_get_value_double(env, value, &x), what);
  return x;
}

std::string text(napi_env env, napi_value value, const char* what) {
  char buffer[64];
  size_t length;
  check(napi_get_value_string_utf8(env, value, buffer, sizeof buffer, &length), what);
  return {buffer, length};
}

template <class T>
T* external(napi_env env, napi_value value, const char* what) {
  void* data;
  check(napi_get_value_external(env, value, &data), what);
  return static_cast<T*>(data);
}

struct Device {
  explicit Device(int threads) : pool(threads), workers(threads) {}
  Pool pool;
  std::vector<Worker> workers;
  std::mutex busy;  // one run or reduction at a time
};

int64_t bytesOf(const Device&) { return 0; }
int64_t bytesOf(const Executable& executable) { return executable.bytes(); }

// The garbage collector is told what stands behind the handle: else it sees no reason to let go of it.
template <class T>
napi_value makeExternal(napi_env env, T* object) {
  napi_value value;
  int64_t all;
  const auto finalize = [](napi_env env, void* data, void*) {
    int64_t all;
    auto* object = static_cast<T*>(data);
    napi_adjust_external_memory(env, -bytesOf(*object), &all);
    delete object;
  };
  check(napi_create_external(env, object, finalize, nullptr, &value), "external");
  napi_adjust_external_memory(env, bytesOf(*object), &all);
  return value;
}

// The memory of a typed array; null for null and undefined.
char* memory(napi_env env, napi_value value) {
  napi_valuetype type;
  check(napi_typeof(env, value, &type), "array");
  if (type == napi_null || type == napi_undefined) return nullptr;
  void* data;
  check(napi_get_typedarray_info(env, value, nullptr, nullptr, &data, nullptr, nullptr), "typed array");
  return static_cast<char*>(data);
}

std::vector<char*> memories(napi_env env, napi_value list) {
  uint32_t n;
  check(napi_get_array_length(env, list, &n), "list of arrays");
  std::vector<char*> out(n);
  for (uint32_t i = 0; i < n; ++i) {
    napi_value item;
    check(napi_get_element(env, list, i, &item), "array");
    out[i] = memory(env, item);
  }
  return out;
}

// Reads a Float64Array front to back.
class Reader {
 public:
  Reader(napi_env env, napi_value array) {
    void* data;
    check(napi_get_typedarray_info(env, array, nullptr, &left_, &data, nullptr, nullptr), "Float64Array");
    at_ = static_cast<const double*>(data);
  }
  bool done() const { return left_ == 0; }
  double real() {
    if (left_-- == 0) throw Failure("a schedule ends too early");
    return *at_++;
  }
  int64_t integer() { return static_cast<int64_t>(real()); }
  template <class T, class F>
  std::vector<T> list(F one) {
    std::vector<T> out(static_cast<size_t>(integer()));
    for (T& x : out) x = static_cast<T>((this->*one)());
    return out;
  }
  template <class T>
  std::vector<T> integers() { return list<T>(&Reader::integer); }

 private:
  const double* at_;
  size_t left_;
};

// `kernels` counts the kernels of all loops.
std::vector<Step> readSteps(Reader& in, int32_t& kernels) {
  std::vector<Step> steps(static_cast<size_t>(in.integer()));
  for (Step& s : steps) {
    s.kernel = static_cast<Kernel>(in.integer());
    if (s.kernel == kLoop) {
      s.count = in.integer();
      s.reverse = in.integer() != 0;
      s.depth = static_cast<int32_t>(in.integer());
      s.runs = static_cast<int32_t>(in.integer());
      s.index = static_cast<int32_t>(in.integer());
      s.body = readSteps(in, kernels);
    } else {
      s.number = kernels++;
      s.rows = static_cast<int32_t>(in.integer());
      s.reads = in.integers<int32_t>();
      s.writes = in.integers<int32_t>();
      s.integers = in.integers<int64_t>();
      s.reals = in.list<float>(&Reader::real);
    }
  }
  return steps;
}

// Work for the pool, waited for on a thread of Node's own, with what must stay alive until it is done.
struct Work {
  std::function<void()> body;
  std::string error;
  napi_async_work work;
  napi_deferred deferred;
  napi_ref keep;
};

napi_value promise(napi_env env, napi_value keep, std::function<void()> body) {
  auto* work = new Work{std::move(body), {}, nullptr, nullptr, nullptr};
  napi_value result, name;
  check(napi_create_promise(env, &work->deferred, &result), "promise");
  check(napi_create_reference(env, keep, 1, &work->keep), "reference");
  check(napi_create_string_utf8(env, "lathe", NAPI_AUTO_LENGTH, &name), "name");
  const auto execute = [](napi_env, void* data) {
    auto* w = static_cast<Work*>(data);
    try {
      w->body();
    } catch (const std::bad_alloc&) {
      w->error = "the native executor is out of memory";
    } catch (const std::exception& e) {
      w->error = e.what();
    }
  };
  const auto complete = [](napi_env env, napi_status, void* data) {
    auto* w = static_cast<Work*>(data);
    napi_value value;
    if (w->error.empty()) {
      napi_get_undefined(env, &value);
      napi_resolve_deferred(env, w->deferred, value);
    } else {
      napi_value message;
      napi_create_string_utf8(env, w->error.c_str(), w->error.size(), &message);
      napi_create_error(env, nullptr, message, &value);
      napi_reject_deferred(env, w->deferred, value);
    }
    napi_delete_reference(env, w->keep);
    napi_delete_async_work(env, w->work);
    delete w;
  };
  check(napi_create_async_work(env, nullptr, name, execute, complete, work, &work->work), "work");
  check(napi_queue_async_work(env, work->work), "queue");
  return result;
}

// variants(): [{ name, supported }], best first.
napi_value listVariants(napi_env env, const std::vector<napi_value>&) {
  const Variant* list;
  const int n = variants(&list);
  napi_value out;
  check(napi_create_array(env, &out), "array");
  for (int i = 0; i < n; ++i) {
    napi_value item, name, supported;
    check(napi_create_object(env, &item), "object");
    check(napi_create_string_utf8(env, list[i].kernels->name, NAPI_AUTO_LENGTH, &name), "name");
    check(napi_get_boolean(env, list[i].supported, &supported), "supported");
    napi_set_named_property(env, item, "name", name);
    napi_set_named_property(env, item, "supported", supported);
    napi_set_element(env, out, static_cast<uint32_t>(i), item);
  }
  return out;
}

// kernels(): their names, in the order of their numbers in a schedule.
napi_value listKernels(napi_env env, const std::vector<napi_value>&) {
  napi_value out;
  check(napi_create_array(env, &out), "array");
  for (uint32_t i = 0; i < kKernels; ++i) {
    napi_value name;
    check(napi_create_string_utf8(env, kernelNames[i], NAPI_AUTO_LENGTH, &name), "name");
    napi_set_element(env, out, i, name);
  }
  return out;
}

// device(threads): a thread pool with a worker a thread.
napi_value makeDevice(napi_env env, const std::vector<napi_value>& args) {
  return makeExternal(env, new Device(static_cast<int>(number(env, args[0], "threads"))));
}

// The variant of that name; throws where this CPU cannot run it.
const Kernels* kernelsOf(const std::string& name) {
  const Variant* list;
  const int n = variants(&list);
  for (int i = 0; i < n; ++i)
    if (name == list[i].kernels->name && list[i].supported) return list[i].kernels;
  throw Failure("this CPU cannot run " + name);
}

// peak(device, variant, bf16, array): runs array[0] rounds on every thread at once; then array is [FLOPs, seconds].
napi_value peak(napi_env env, const std::vector<napi_value>& args) {
  auto* device = external<Device>(env, args[0], "device");
  const Kernels* kernels = kernelsOf(text(env, args[1], "variant"));
  const Precision precision = number(env, args[2], "bf16") != 0 ? Precision::BF16 : Precision::F32;
  auto* out = reinterpret_cast<double*>(memory(env, args[3]));
  const auto rounds = static_cast<int64_t>(out[0]);
  return promise(env, args[3], [device, kernels, precision, rounds, out] {
    std::atomic<double> flops{0};
    const auto start = std::chrono::steady_clock::now();
    device->pool.run(device->pool.size(), [&](int64_t, int) {
      const double done = kernels->peak(precision, rounds);
      for (double seen = flops; !flops.compare_exchange_weak(seen, seen + done);) {
      }
    });
    out[0] = flops;
    out[1] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  });
}

// read(device, variant, KiB, array): every thread reads that much of its own array[0] times; then array is [bytes, seconds].
napi_value read(napi_env env, const std::vector<napi_value>& args) {
  auto* device = external<Device>(env, args[0], "device");
  const Kernels* kernels = kernelsOf(text(env, args[1], "variant"));
  const auto n = static_cast<int64_t>(number(env, args[2], "KiB")) * 256;
  auto* out = reinterpret_cast<double*>(memory(env, args[3]));
  const auto rounds = static_cast<int64_t>(out[0]);
  return promise(env, args[3], [device, kernels, n, rounds, out] {
    Pool& pool = device->pool;
    std::vector<std::vector<float>> data(pool.size());
    std::vector<float> sums(pool.size());
    pool.run(pool.size(), [&](int64_t i, int) {
      data[i].resize(n);
      for (int64_t k = 0; k < n; ++k) data[i][k] = 0.5f + 0.001f * static_cast<float>(k & 511);
      sums[i] = kernels->readAll(data[i].data(), n, 1);
    });
    const auto start = std::chrono::steady_clock::now();
    pool.run(pool.size(), [&](int64_t i, int) { sums[i] += kernels->readAll(data[i].data(), n, rounds); });
    out[1] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    out[0] = 4.0 * static_cast<double>(n * rounds * pool.size());
  });
}

// compile({ variant, bf16, groups, timed, arenaBytes, together, places, packs, steps, sizes }): sizes are bytes of one
// sequence, per memory.
napi_value compile(napi_env env, const std::vector<napi_value>& args) {
  const auto field = [&](const char* name) { return property(env, args[0], name); };
  Schedule schedule;
  schedule.kernels = kernelsOf(text(env, field("variant"), "variant"));
  schedule.precision = number(env, field("bf16"), "bf16") != 0 ? Precision::BF16 : Precision::F32;
  schedule.arenaBytes = static_cast<size_t>(number(env, field("arenaBytes"), "arenaBytes"));
  schedule.together = static_cast<int64_t>(number(env, field("together"), "together"));
  Reader places(env, field("places"));
  while (!places.done()) {
    Place p;
    p.memory = static_cast<Memory>(places.integer());
    p.index = static_cast<int32_t>(places.integer());
    p.halves = places.integer() != 0;
    p.offset = places.integer();
    p.sequence = places.integer();
    p.strides = places.integers<int64_t>();
    schedule.places.push_back(std::move(p));
  }
  Reader packs(env, field("packs"));
  while (!packs.done()) {
    const int32_t parameter = static_cast<int32_t>(packs.integer());
    const int64_t K = packs.integer(), N = packs.integer(), rowStep = packs.integer();
    schedule.packs.push_back({parameter, K, N, rowStep, packs.integer()});
  }
  Reader steps(env, field("steps"));
  int32_t kernels = 0;
  schedule.steps = readSteps(steps, kernels);
  std::vector<size_t> bytes[kMemories];
  Reader sizes(env, field("sizes"));
  for (auto& memory : bytes) memory = sizes.integers<size_t>();
  const auto groups = static_cast<int>(number(env, field("groups"), "groups"));
  const bool timed = number(env, field("timed"), "timed") != 0;
  return makeExternal(env, new Executable(std::move(schedule), bytes, groups, timed ? static_cast<size_t>(kernels) : 0));
}

// run(device, jobs): jobs are [{ executable, count, version, parameters, inputs, states, outputs }], arrays in order.
napi_value run(napi_env env, const std::vector<napi_value>& args) {
  auto* device = external<Device>(env, args[0], "device");
  uint32_t n;
  check(napi_get_array_length(env, args[1], &n), "jobs");
  auto jobs = std::make_shared<std::vector<Job>>(n);
  for (uint32_t i = 0; i < n; ++i) {
    napi_value item;
    check(napi_get_element(env, args[1], i, &item), "job");
    Job& job = (*jobs)[i];
    job.executable = external<Executable>(env, property(env, item, "executable"), "executable");
    job.count = static_cast<int64_t>(number(env, property(env, item, "count"), "count"));
    job.version = number(env, property(env, item, "version"), "version");
    job.parameters = memories(env, property(env, item, "parameters"));
    job.arrays[kInput] = memories(env, property(env, item, "inputs"));
    job.arrays[kState] = memories(env, property(env, item, "states"));
    job.arrays[kOutput] = memories(env, property(env, item, "outputs"));
  }
  return promise(env, args[1], [device, jobs] {
    std::lock_guard<std::mutex> one(device->busy);
    runJobs(device->pool, device->workers, *jobs);
  });
}

// reduce(device, executable, [Float32Array or null per sum], numbers): a number a sum, as reduceSums has them.
napi_value reduce(napi_env env, const std::vector<napi_value>& args) {
  auto* device = external<Device>(env, args[0], "device");
  auto* executable = external<Executable>(env, args[1], "executable");
  std::vector<float*> into;
  for (char* p : memories(env, args[2])) into.push_back(reinterpret_cast<float*>(p));
  auto* numbers = reinterpret_cast<double*>(memory(env, args[3]));
  napi_value keep;
  check(napi_create_array_with_length(env, 3, &keep), "array");
  for (uint32_t i = 0; i < 3; ++i) napi_set_element(env, keep, i, args[i + 1]);
  return promise(env, keep, [device, executable, into, numbers] {
    std::lock_guard<std::mutex> one(device->busy);
    reduceSums(device->pool, *executable, into, numbers);
  });
}

// spent(executable, array): then array is seconds and sequences of each of its kernels so far, all threads together.
napi_value spent(napi_env env, const std::vector<napi_value>& args) {
  auto* out = reinterpret_cast<double*>(memory(env, args[1]));
  for (const Spent& s : external<Executable>(env, args[0], "executable")->spent()) {
    *out++ = 1e-9 * static_cast<double>(s.nanoseconds);
    *out++ = static_cast<double>(s.sequences);
  }
  return args[1];
}

using Function = napi_value (*)(napi_env, const std::vector<napi_value>&);

napi_value call(napi_env env, napi_callback_info info) {
  size_t count = 4;
  napi_value args[4];
  void* function;
  napi_get_cb_info(env, info, &count, args, nullptr, &function);
  try {
    return reinterpret_cast<Function>(function)(env, std::vector<napi_value>(args, args + count));
  } catch (const std::exception& e) {
    napi_throw_error(env, nullptr, e.what());
    return nullptr;
  }
}

}  // namespace

NAPI_MODULE_INIT() {
  const std::pair<const char*, Function> functions[] = {
      {"variants", listVariants}, {"kernels", listKernels}, {"device", makeDevice},
      {"compile", compile},       {"run", run},             {"reduce", reduce},     {"peak", peak}, {"read", read}, {"spent", spent},
  };
  for (const auto& [name, function] : functions) {
    napi_value value;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, call, reinterpret_cast<void*>(function), &value);
    napi_set_named_property(env, exports, name, value);
  }
  return exports;
}
