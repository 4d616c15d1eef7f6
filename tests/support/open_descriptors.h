// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// How many descriptors this process has: what a test opened must be gone when it says so.
#pragma once

#include <cstddef>
#include <filesystem>
#include <iterator>

namespace spillway::test {

inline std::size_t open_descriptors() {
    namespace fs = std::filesystem;
    return static_cast<std::size_t>(std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()));
}

}  // namespace spillway::test
