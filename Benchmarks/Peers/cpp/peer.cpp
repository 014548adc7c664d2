// C++ protobuf as a peer: `peer FOLDER heap|arena`. Same protocol as FrameCodecPeer: names of cases on standard
// input, one round (nanoseconds, allocations, bytes) for each on standard output.
#include <dlfcn.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

#include <google/protobuf/arena.h>
#include <google/protobuf/util/json_util.h>

#include "sentry/integrations/scm/v1/scm.pb.h"
#include "shapes.pb.h"

namespace {

struct Case {
    size_t byteCount;
    std::function<void(uint64_t)> run;
    uint64_t count = 0;
};

using Cases = std::map<std::string, Case>;

// Keeps the optimiser from dropping what leads to `value`.
template <typename Value>
void blackHole(const Value &value) {
    asm volatile("" : : "g"(&value) : "memory");
}

// CPU time of this thread: waiting for a busy machine's CPU is no part of it.
double cpuTime() {
    timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec * 1e9 + time.tv_nsec;
}

double nanoseconds(const Case &benchmark, uint64_t count) {
    const double start = cpuTime();
    benchmark.run(count);
    return cpuTime() - start;
}

// Operations that take about 1 ms together.
uint64_t calibrated(const Case &benchmark) {
    for (uint64_t count = 1;;) {
        const double elapsed = nanoseconds(benchmark, count);
        if (elapsed >= 5e5) return count;
        count = std::max(count * 2, static_cast<uint64_t>(count * 1e6 / std::max(elapsed, 1000.0)));
    }
}

std::string readFile(const std::string &path) {
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
}

template <typename Message>
void addShape(Cases &cases, const std::string &folder, const std::string &name, bool usesArena,
              std::function<int64_t(const Message &)> touch) {
    const auto bytes = readFile(folder + "/" + name + ".bin");
    const auto json = readFile(folder + "/" + name + ".json");
    auto message = std::make_shared<Message>();
    if (!message->ParseFromString(bytes)) throw std::runtime_error("cannot read " + name);

    // A fresh message each time: what a server does for each request.
    const auto decode = [bytes, usesArena](uint64_t count, auto use) {
        for (uint64_t index = 0; index < count; index++) {
            if (usesArena) {
                google::protobuf::Arena arena;
                auto *fresh = google::protobuf::Arena::CreateMessage<Message>(&arena);
                blackHole(fresh->ParseFromString(bytes));
                use(*fresh);
            } else {
                Message fresh;
                blackHole(fresh.ParseFromString(bytes));
                use(fresh);
            }
        }
    };
    cases[name + " encode"] = {bytes.size(), [message](uint64_t count) {
        for (uint64_t index = 0; index < count; index++) blackHole(message->SerializeAsString());
    }};
    cases[name + " decode"] = {bytes.size(), [decode](uint64_t count) {
        decode(count, [](const Message &fresh) { blackHole(fresh); });
    }};
    cases[name + " touch"] = {bytes.size(), [decode, touch](uint64_t count) {
        decode(count, [touch](const Message &fresh) { blackHole(touch(fresh)); });
    }};
    cases[name + " JSON encode"] = {json.size(), [message](uint64_t count) {
        for (uint64_t index = 0; index < count; index++) {
            std::string text;
            blackHole(google::protobuf::util::MessageToJsonString(*message, &text).ok());
            blackHole(text);
        }
    }};
    cases[name + " JSON decode"] = {json.size(), [json](uint64_t count) {
        for (uint64_t index = 0; index < count; index++) {
            Message fresh;
            blackHole(google::protobuf::util::JsonStringToMessage(json, &fresh).ok());
            blackHole(fresh);
        }
    }};
}

}  // namespace

int main(int argumentCount, char **arguments) {
    if (argumentCount != 3) return 2;
    const std::string folder = arguments[1];
    const bool usesArena = std::string(arguments[2]) == "arena";
    Cases cases;
    using namespace benchmark::shapes;
    using sentry::integrations::scm::v1::ListRepositoriesResponse;
    addShape<ListRepositoriesResponse>(
        cases, folder, "mixed", usesArena, [](const auto &message) { return message.repositories(0).id(); });
    addShape<Numbers>(cases, folder, "numbers", usesArena, [](const auto &message) { return message.samples(0).count(); });
    addShape<Strings>(
        cases, folder, "strings", usesArena, [](const auto &message) { return message.people(0).name().size(); });
    addShape<Maps>(cases, folder, "maps", usesArena, [](const auto &message) { return message.counts().size(); });
    addShape<Nesting>(cases, folder, "nesting", usesArena, [](const auto &message) { return message.chains(0).value(); });
    addShape<Blob>(cases, folder, "blob", usesArena, [](const auto &message) { return message.name().size(); });

    using Counter = uint64_t (*)();
    const auto counter = reinterpret_cast<Counter>(dlsym(RTLD_DEFAULT, "benchmark_allocation_count"));
    std::cout << "ready" << std::endl;
    for (std::string name; std::getline(std::cin, name);) {
        const auto found = cases.find(name);
        if (found == cases.end()) {
            std::cout << "unknown" << std::endl;
            continue;
        }
        Case &benchmark = found->second;
        if (benchmark.count == 0) benchmark.count = calibrated(benchmark);
        const uint64_t before = counter ? counter() : 0;
        const double elapsed = nanoseconds(benchmark, benchmark.count);
        const double allocations = counter ? double(counter() - before) / benchmark.count : 0;
        std::cout << elapsed / benchmark.count << ' ';
        if (counter) std::cout << allocations; else std::cout << '-';
        std::cout << ' ' << benchmark.byteCount << std::endl;
    }
}
