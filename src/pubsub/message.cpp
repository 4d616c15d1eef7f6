// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "pubsub/message.h"

#include <cstddef>
#include <memory>

#include "base/assert.h"
#include "base/poison.h"

namespace spillway::pubsub {
namespace {
constexpr std::size_t kChunk = 256;
}

Held* Holds::take(Message* message) {
    if (free_ == nullptr) {
        chunks_.push_back(std::make_unique<Held[]>(kChunk));
        for (std::size_t i = 0; i < kChunk; ++i) {
            chunks_.back()[i].next_free = free_;
            free_ = &chunks_.back()[i];
            base::poison(free_, offsetof(Held, message), sizeof(Held));
        }
    }
    Held* held = free_;
    base::unpoison(held, sizeof(Held));
    free_ = held->next_free;
    held->message = message;
    held->refs = 1;
    ++in_use_;
    return held;
}

void Holds::release(Held* held) {
    SPILLWAY_ASSERT(held->refs != 0);
    if (--held->refs != 0) return;
    blocks_.release(held->message);
    held->next_free = free_;
    free_ = held;
    base::poison(held, offsetof(Held, message), sizeof(Held));
    --in_use_;
}

}  // namespace spillway::pubsub
