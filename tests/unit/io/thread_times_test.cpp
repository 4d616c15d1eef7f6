// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "io/thread_times.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <catch2/catch_test_macros.hpp>

using namespace spillway;
using namespace std::chrono_literals;

TEST_CASE("how a thread fared is read from the kernel's two files") {
    const auto root = std::filesystem::temp_directory_path() / ("spillway-thread-" + std::to_string(::getpid()));
    const auto folder = root / "proc/self/task/7";
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "schedstat") << "3000000000 250 41\n";
    std::ofstream(folder / "status") << "Name:\tcore 0\nvoluntary_ctxt_switches:\t9\nnonvoluntary_ctxt_switches:\t12\n";
    const io::ThreadTimes times = io::thread_times(7, root.string());
    CHECK(times.ran == 3s);
    CHECK(times.waited == 250ns);
    CHECK(times.preemptions == 12);
    const io::ThreadTimes nobody = io::thread_times(8, root.string());
    CHECK(nobody.ran == 0s);
    CHECK(nobody.preemptions == 0);
    std::filesystem::remove_all(root);
}

TEST_CASE("a thread that worked has had its CPU") {
    const base::SystemClock clock;
    const base::Duration before = clock.thread_cpu();
    while (clock.thread_cpu() - before < 2ms) {
    }
    CHECK(io::thread_times(static_cast<std::uint64_t>(::gettid())).ran > 0s);  // told at ticks
}
