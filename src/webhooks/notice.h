// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// One thing that happened and that an app's backend may want to know, on its way from the core that saw it. Whether and
// when it becomes a webhook is decided later, off the cores.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <spillway/ids.h>
#include <spillway/webhook.h>

namespace spillway::webhooks {

struct Notice {
    WebhookEvent what = WebhookEvent::channel_occupied;
    AppIndex app = 0;
    std::uint32_t count = 0;  // subscription_count
    std::string channel;
    std::string user_id;    // member_added, member_removed; client_event on a presence channel
    std::string event;      // client_event
    std::string data_json;  // client_event: the JSON text as the client sent it
    std::string socket_id;  // client_event

    /// What it costs to keep, about: its texts and what stands around them.
    [[nodiscard]] std::size_t bytes() const {
        return sizeof(Notice) + channel.size() + user_id.size() + event.size() + data_json.size() + socket_id.size();
    }
};

}  // namespace spillway::webhooks
