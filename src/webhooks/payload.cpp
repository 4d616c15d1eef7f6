// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "webhooks/payload.h"

#include "base/format.h"
#include "crypto/digest.h"
#include "protocol/json_escape.h"

namespace spillway::webhooks {
namespace {

void field(std::string& body, std::string_view name, std::string_view text) {
    base::append(body, ",\"", name, "\":");
    protocol::append_json_string(body, text);
}

void client_event(std::string& body, const Notice& notice) {
    field(body, "event", notice.event);
    if (notice.data_json.starts_with('"')) {
        base::append(body, ",\"data\":", notice.data_json);
    } else {
        field(body, "data", notice.data_json);
    }
    field(body, "socket_id", notice.socket_id);
    if (!notice.user_id.empty()) field(body, "user_id", notice.user_id);
}

}  // namespace

void append_event(std::string& body, const Notice& notice) {
    if (body.ends_with('}')) body += ',';
    base::append(body, R"({"name":")", to_string(notice.what), '"');
    field(body, "channel", notice.channel);
    switch (notice.what) {
        case WebhookEvent::member_added:
        case WebhookEvent::member_removed: field(body, "user_id", notice.user_id); break;
        case WebhookEvent::client_event: client_event(body, notice); break;
        case WebhookEvent::subscription_count: base::append(body, R"(,"subscription_count":)", notice.count); break;
        case WebhookEvent::channel_occupied:
        case WebhookEvent::channel_vacated:
        case WebhookEvent::cache_miss: break;
    }
    body += '}';
}

void begin_payload(std::string& body, std::int64_t time_ms) {
    base::append(body, R"({"time_ms":)", time_ms, R"(,"events":[)");
}

void end_payload(std::string& body) { body += "]}"; }

std::string signature(std::string_view secret, std::string_view body) { return crypto::hmac_sha256_hex(secret, body); }

}  // namespace spillway::webhooks
