// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The forms in which one message goes over the wire. Each form in use is encoded once and shared by all its receivers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace spillway {

enum class WireForm : std::uint8_t {
    pusher,  // text frame with the Pusher envelope
    feed,    // text frame with the event's data alone
};
inline constexpr std::size_t kWireForms = 2;

}  // namespace spillway
