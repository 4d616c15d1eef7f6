// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Memory that lies in a free list is nobody's: debug builds fill it with 0xDD and AddressSanitizer is told, so that a
// use after free of pooled memory shows as one. Nothing in release builds.
#pragma once

#include <cstddef>
#include <cstring>

#if defined(__SANITIZE_ADDRESS__)
#define SPILLWAY_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SPILLWAY_ASAN 1
#endif
#endif
#ifdef SPILLWAY_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace spillway::base {

/// `memory[head .. bytes)` must not be touched until unpoison(); the first `head` bytes hold the free list's link and are
/// poisoned without being overwritten.
inline void poison([[maybe_unused]] void* memory, [[maybe_unused]] std::size_t head,
                   [[maybe_unused]] std::size_t bytes) {
#ifndef NDEBUG
    std::memset(static_cast<char*>(memory) + head, 0xDD, bytes - head);
#endif
#ifdef SPILLWAY_ASAN
    ASAN_POISON_MEMORY_REGION(memory, bytes);
#endif
}

inline void unpoison([[maybe_unused]] void* memory, [[maybe_unused]] std::size_t bytes) {
#ifdef SPILLWAY_ASAN
    ASAN_UNPOISON_MEMORY_REGION(memory, bytes);
#endif
}

/// Memory that was just allocated: whoever reads it before writing it reads 0xCD.
inline void fill_fresh([[maybe_unused]] void* memory, [[maybe_unused]] std::size_t bytes) {
#ifndef NDEBUG
    std::memset(memory, 0xCD, bytes);
#endif
}

}  // namespace spillway::base
