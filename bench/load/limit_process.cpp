// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0

#include "limit_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace spillway::load {
namespace {

/// Beside this program, as the build has it.
std::string program_of(const Options& options) {
    if (!options.limit_program.empty()) return options.limit_program;
    std::error_code error;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
    return (self.parent_path().parent_path() / "limit" / "limit").string();
}

/// Bytes of a frame with the message's data, as a feed gets it.
std::uint32_t frame_bytes(std::uint32_t size) { return size + (size < 126 ? 2 : size <= 0xFFFF ? 4 : 10); }

[[noreturn]] void become(const Options& options, std::uint32_t sockets, int input, int output) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(input, 0);
    dup2(output, 1);
    const bool placed = options.limit_cpus.size() == 2;
    std::vector<std::string> words{program_of(options),
                                   "--sockets",
                                   std::to_string(sockets),
                                   "--bytes",
                                   std::to_string(frame_bytes(options.size)),
                                   "--on-demand",
                                   "1",
                                   "--sender",
                                   std::to_string(placed ? options.limit_cpus[0] : 0),
                                   "--reader",
                                   std::to_string(placed ? options.limit_cpus[1] : 1)};
    if (options.spin) words.insert(words.end(), {"--spin", "1"});
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    execv(arguments[0], arguments.data());
    std::perror("spillway-load: --limit");
    _exit(127);
}

}  // namespace

std::optional<LimitProcess> LimitProcess::start(const Options& options, std::uint32_t sockets) {
    int to[2];
    int from[2];
    if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0) return std::nullopt;
    const pid_t pid = fork();
    if (pid == 0) become(options, sockets, to[0], from[1]);
    close(to[0]);
    close(from[1]);
    if (pid < 0) return std::nullopt;
    LimitProcess process(pid, fdopen(to[1], "w"), fdopen(from[0], "r"));
    char line[64];
    if (std::fgets(line, sizeof line, process.from_) == nullptr || std::strcmp(line, "ready\n") != 0) {
        std::fprintf(stderr,
                     "spillway-load: bench/limit does not start; build it (target limit), or say --limit where\n");
        return std::nullopt;
    }
    return process;
}

LimitProcess::LimitProcess(LimitProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), to_(other.to_), from_(other.from_) {}

LimitProcess::~LimitProcess() {
    if (pid_ < 0) return;
    std::fclose(to_);
    std::fclose(from_);
    waitpid(pid_, nullptr, 0);
}

LimitProcess::Pass LimitProcess::pass() {
    char line[64] = "";
    std::fputc('\n', to_);
    std::fflush(to_);
    double sends_ns = 0;
    double read_ns = 0;
    if (std::fgets(line, sizeof line, from_) == nullptr || std::sscanf(line, "%lf %lf", &sends_ns, &read_ns) != 2) {
        std::fprintf(stderr, "spillway-load: bench/limit ended\n");
        std::exit(2);
    }
    return {sends_ns / 1e6, read_ns / 1e6};
}

}  // namespace spillway::load
