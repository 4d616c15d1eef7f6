// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Whose request it is when proxies stand in front. Each proxy appends to X-Forwarded-For the address it was asked from, so
// only what trusted proxies appended is believed, read from the right.
#pragma once

#include <span>

#include <spillway/address.h>

#include "http/request.h"

namespace spillway::http {

/// `peer` if it is not in a trusted network; else the right-most address of X-Forwarded-For that is not, or the last one
/// before what is no address; or the left-most if all are trusted.
[[nodiscard]] Address forwarded_client(const Address& peer, std::span<const Header> headers,
                                       std::span<const Network> trusted);

[[nodiscard]] bool is_trusted(const Address& address, std::span<const Network> trusted);

}  // namespace spillway::http
