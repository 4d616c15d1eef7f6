// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Memory as the host sees it: what this process has resident, and what it may have.
#pragma once

#include <cstdint>
#include <string>

namespace spillway::io {

/// Bytes of this process in physical memory (proc(5), statm); 0 where the host does not say. Reads a file.
[[nodiscard]] std::uint64_t resident_bytes();

/// Of these, those that no file holds as well (proc(5), statm): the kernel takes pages of the executable and of libraries back by itself.
[[nodiscard]] std::uint64_t own_resident_bytes();

/// Bytes this process can get: the host's memory, or the limit of its cgroup (version 2 or 1) or of one above it, whichever
/// is the smallest; 0 where nothing says. Reads files below `root` ("" for this host).
[[nodiscard]] std::uint64_t available_memory(const std::string& root);

}  // namespace spillway::io
