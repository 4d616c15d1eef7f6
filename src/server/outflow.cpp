// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/outflow.h"

namespace spillway::server {
namespace {

iovec part_of(const void* bytes, std::size_t size) { return {const_cast<void*>(bytes), size}; }

}  // namespace

std::size_t Outflow::compose(WireForm form, iovec* out, std::size_t most, std::size_t& bytes) {
    SPILLWAY_ASSERT(parts_ == 0 && most != 0);
    std::size_t n = 0;
    std::size_t taken_messages = 0;
    bytes = 0;
    const auto add = [&](const void* data, std::size_t size) {
        out[n++] = part_of(data, size);
        bytes += size;
    };
    const auto add_message = [&](std::size_t i, std::size_t skip) {
        const auto frame = queue.at(i).held->message->frame(form);
        add(frame.data() + skip, frame.size() - skip);
        ++taken_messages;
    };
    if (queue.head_taken() != 0) {
        SPILLWAY_ASSERT(control_taken_ == 0);
        head_first_ = true;
        add_message(0, queue.head_taken());
    }
    for (; control_in_flight_ < control_.size() && n < most; ++control_in_flight_) {
        const std::string& frame = control_[control_in_flight_];
        const std::size_t skip = control_in_flight_ == 0 ? control_taken_ : 0;
        add(frame.data() + skip, frame.size() - skip);
    }
    if (control_in_flight_ == control_.size()) {
        while (taken_messages < queue.size() && n < most && (n == 0 || bytes < kJoinBytesMax))
            add_message(taken_messages, 0);
    }
    queue.set_in_flight(taken_messages);
    parts_ = n;
    return n;
}

std::size_t Outflow::settle_control(std::size_t taken) {
    while (taken != 0 && control_in_flight_ != 0) {
        const std::size_t rest = control_.front().size() - control_taken_;
        if (taken < rest) {
            control_taken_ += taken;
            return 0;
        }
        taken -= rest;
        control_bytes_ -= control_.front().size();
        control_taken_ = 0;
        control_.pop_front();
        --control_in_flight_;
        pongs_ >>= 1;
    }
    return taken;
}

void Outflow::forget_control() {
    control_.clear();
    control_bytes_ = control_taken_ = control_in_flight_ = 0;
    pongs_ = 0;
}

void Outflow::reset() {
    SPILLWAY_ASSERT(empty() && parts_ == 0);
    queue.shrink();
    pongs_ = 0;
}

}  // namespace spillway::server
