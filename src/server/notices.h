// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What a core tells the background thread about its channels, for webhooks. Each call is a look at one byte for an app
// whose webhooks do not want the event; nothing is copied or allocated then. Never blocks, never fails: what the
// background thread has no room for is dropped and counted.
//
// All calls about a channel come from its home core, in the order in which things happen there; that makes the order of
// webhooks of a channel. Channels whose name begins with '#' are hidden and never spoken of.
//
// Thread: the core.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include <spillway/ids.h>
#include <spillway/webhook.h>

#include "webhooks/notice.h"

namespace spillway::server {

class Core;
class NoticeRings;

class Notices {
public:
    /// No rings: nobody listens.
    Notices(Core& core, NoticeRings* rings) : core_(core), rings_(rings) {}

    /// The first subscriber anywhere came; the last one anywhere left.
    void occupied(AppIndex app, std::string_view channel) { simple(WebhookEvent::channel_occupied, app, channel); }
    void vacated(AppIndex app, std::string_view channel) { simple(WebhookEvent::channel_vacated, app, channel); }
    /// The first connection of a user in a presence channel came; the last one left.
    void member_added(AppIndex app, std::string_view channel, std::string_view user_id) {
        member(WebhookEvent::member_added, app, channel, user_id);
    }
    void member_removed(AppIndex app, std::string_view channel, std::string_view user_id) {
        member(WebhookEvent::member_removed, app, channel, user_id);
    }
    /// A subscriber found nothing in a cache channel. May be called for each of them: said once for those that come together.
    void cache_miss(AppIndex app, std::string_view channel) { simple(WebhookEvent::cache_miss, app, channel); }
    /// The number of subscribers has become `count`. May be called at each change: above 100 it is said every five seconds.
    void subscription_count(AppIndex app, std::string_view channel, std::uint32_t count);
    /// A client event was taken. `data_json` is its data as JSON text; `user_id` is empty but on presence channels.
    void client_event(AppIndex app, std::string_view channel, std::string_view event, std::string_view data_json,
                      std::string_view socket_id, std::string_view user_id);
    /// To be asked first where making the arguments costs.
    [[nodiscard]] bool wanted(WebhookEvent what, AppIndex app, std::string_view channel) const;

    /// Wakes the background thread if it has something new. Once per turn.
    void flush();

private:
    void simple(WebhookEvent what, AppIndex app, std::string_view channel);
    void member(WebhookEvent what, AppIndex app, std::string_view channel, std::string_view user_id);
    [[nodiscard]] static std::unique_ptr<webhooks::Notice> make(WebhookEvent what, AppIndex app,
                                                                std::string_view channel);
    void push(std::unique_ptr<webhooks::Notice> notice);

    Core& core_;
    NoticeRings* rings_;
    bool pushed_ = false;  // since the last flush
};

}  // namespace spillway::server
