// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Free memory back to the host: what nobody uses still counts as resident while the allocator keeps it.
#pragma once

/// mimalloc's, where the executable is linked with it (mimalloc.h).
extern "C" void mi_collect(bool force) __attribute__((weak));

namespace spillway::base {

/// Hands free memory of this thread back to the host, which an allocator otherwise puts off. Takes milliseconds.
inline void give_heap_back() {
    if (mi_collect != nullptr) mi_collect(true);
}

}  // namespace spillway::base
