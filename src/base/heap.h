// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What is asked of the heap, and free memory back to the host: what nobody uses still counts as resident while the allocator
// keeps it.
#pragma once

#include <cstdint>

/// mimalloc's, where the executable is linked with it (mimalloc.h).
extern "C" void mi_collect(bool force) __attribute__((weak));

/// The executable's, which knows its allocator: whether memory that becomes free goes back at once, and not a little later.
extern "C" void spillway_free_at_once(bool wanted) __attribute__((weak));

namespace spillway::base {

/// What a thread has asked operator new for since it began; never taken back when memory is given back.
struct HeapUse {
    std::uint64_t allocations = 0;
    std::uint64_t bytes = 0;
};

/// Of this thread. Counted where the executable is linked with counted_new.cpp, zeros elsewhere.
inline thread_local constinit HeapUse heap_use_of_thread;

/// Hands free memory of this thread back to the host, which an allocator otherwise puts off. Takes milliseconds.
inline void give_heap_back() {
    if (mi_collect != nullptr) mi_collect(true);
}

/// For the whole process: large messages then take twice the time, for when memory is short. Any thread, one at a time.
inline void free_at_once(bool wanted) {
    if (spillway_free_at_once != nullptr) spillway_free_at_once(wanted);
}

}  // namespace spillway::base
