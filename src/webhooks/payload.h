// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The body of a webhook, byte for byte as Pusher's documentation and libraries have it, and its signature.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "webhooks/notice.h"

namespace spillway::webhooks {

/// One object of the body's `events`, a comma before it if it is not the first. A client event's data is always a
/// string (the Go library knows no other): string data as it is, any other JSON as its text.
void append_event(std::string& body, const Notice& notice);

/// `{"time_ms":…,"events":[`; end_payload() closes it.
void begin_payload(std::string& body, std::int64_t time_ms);
void end_payload(std::string& body);

/// X-Pusher-Signature: HMAC-SHA256 of the raw body in lower-case hex.
[[nodiscard]] std::string signature(std::string_view secret, std::string_view body);

}  // namespace spillway::webhooks
