// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "crypto/random.h"

#include <string.h>  // explicit_bzero
#include <sys/random.h>

#include <cerrno>

#include "base/assert.h"

namespace spillway::crypto {

SystemRandom::~SystemRandom() { explicit_bzero(words_.data(), sizeof words_); }

std::uint64_t SystemRandom::next() {
    if (left_ == 0) refill();
    const std::uint64_t word = words_[--left_];
    words_[left_] = 0;
    return word;
}

void SystemRandom::refill() {
    auto* at = reinterpret_cast<unsigned char*>(words_.data());
    std::size_t wanted = sizeof words_;
    while (wanted > 0) {
        // Over 256 bytes a signal may cut it short (getrandom(2)).
        const ssize_t got = ::getrandom(at, wanted, 0);
        if (got < 0 && errno == EINTR) continue;
        SPILLWAY_ASSERT(got > 0);
        at += got;
        wanted -= static_cast<std::size_t>(got);
    }
    left_ = kWords;
}

}  // namespace spillway::crypto
