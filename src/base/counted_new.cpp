// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// operator new of the executable: counts for heap_use_of_thread and leaves the work to the allocator behind malloc. Linked into the
// executable alone, so that tests and tools may replace their own. C libraries that call malloc themselves are not counted.
#include <cstdlib>
#include <new>

#include "base/heap.h"

namespace {

void* counted(std::size_t bytes) noexcept {
    spillway::base::HeapUse& use = spillway::base::heap_use_of_thread;
    ++use.allocations;
    use.bytes += bytes;
    return std::malloc(bytes == 0 ? 1 : bytes);
}

void* counted(std::size_t bytes, std::align_val_t alignment) noexcept {
    spillway::base::HeapUse& use = spillway::base::heap_use_of_thread;
    ++use.allocations;
    use.bytes += bytes;
    const auto step = static_cast<std::size_t>(alignment);
    // C11, 7.22.3.1: the size is a multiple of the alignment.
    return std::aligned_alloc(step, (bytes + step - 1) / step * step);
}

void* or_throw(void* memory) {
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

}  // namespace

void* operator new(std::size_t bytes) { return or_throw(counted(bytes)); }
void* operator new[](std::size_t bytes) { return or_throw(counted(bytes)); }
void* operator new(std::size_t bytes, std::align_val_t alignment) { return or_throw(counted(bytes, alignment)); }
void* operator new[](std::size_t bytes, std::align_val_t alignment) { return or_throw(counted(bytes, alignment)); }
void* operator new(std::size_t bytes, const std::nothrow_t& /*unused*/) noexcept { return counted(bytes); }
void* operator new[](std::size_t bytes, const std::nothrow_t& /*unused*/) noexcept { return counted(bytes); }
void* operator new(std::size_t bytes, std::align_val_t alignment, const std::nothrow_t& /*unused*/) noexcept {
    return counted(bytes, alignment);
}
void* operator new[](std::size_t bytes, std::align_val_t alignment, const std::nothrow_t& /*unused*/) noexcept {
    return counted(bytes, alignment);
}

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*unused*/) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t /*unused*/) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t /*unused*/) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t /*unused*/) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*unused*/, std::align_val_t /*unused*/) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t /*unused*/, std::align_val_t /*unused*/) noexcept {
    std::free(memory);
}
void operator delete(void* memory, const std::nothrow_t& /*unused*/) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t& /*unused*/) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t /*unused*/, const std::nothrow_t& /*unused*/) noexcept {
    std::free(memory);
}
void operator delete[](void* memory, std::align_val_t /*unused*/, const std::nothrow_t& /*unused*/) noexcept {
    std::free(memory);
}
