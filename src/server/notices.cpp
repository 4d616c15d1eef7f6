// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/notices.h"

#include <utility>

#include "server/core.h"
#include "server/notice_rings.h"

namespace spillway::server {

bool Notices::wanted(WebhookEvent what, AppIndex app, std::string_view channel) const {
    return rings_ != nullptr && core_.apps[app].webhook_events.has(what) && !channel.starts_with('#');
}

void Notices::simple(WebhookEvent what, AppIndex app, std::string_view channel) {
    if (wanted(what, app, channel)) push(make(what, app, channel));
}

void Notices::member(WebhookEvent what, AppIndex app, std::string_view channel, std::string_view user_id) {
    if (!wanted(what, app, channel)) return;
    auto notice = make(what, app, channel);
    notice->user_id = user_id;
    push(std::move(notice));
}

void Notices::subscription_count(AppIndex app, std::string_view channel, std::uint32_t count) {
    if (!wanted(WebhookEvent::subscription_count, app, channel)) return;
    auto notice = make(WebhookEvent::subscription_count, app, channel);
    notice->count = count;
    push(std::move(notice));
}

void Notices::client_event(AppIndex app, std::string_view channel, std::string_view event, std::string_view data_json,
                           std::string_view socket_id, std::string_view user_id) {
    if (!wanted(WebhookEvent::client_event, app, channel)) return;
    auto notice = make(WebhookEvent::client_event, app, channel);
    notice->event = event;
    notice->data_json = data_json;
    notice->socket_id = socket_id;
    notice->user_id = user_id;
    push(std::move(notice));
}

std::unique_ptr<webhooks::Notice> Notices::make(WebhookEvent what, AppIndex app, std::string_view channel) {
    auto notice = std::make_unique<webhooks::Notice>();
    notice->what = what;
    notice->app = app;
    notice->channel = channel;
    return notice;
}

void Notices::push(std::unique_ptr<webhooks::Notice> notice) {
    if (rings_->push(core_.id, notice)) {
        pushed_ = true;
    } else {
        core_.stats.webhook_overruns.add();
    }
}

void Notices::flush() {
    if (!std::exchange(pushed_, false)) return;
    rings_->flush();
}

}  // namespace spillway::server
