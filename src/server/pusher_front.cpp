// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/pusher_front.h"

#include <algorithm>
#include <charconv>

#include "protocol/auth.h"
#include "protocol/socket_id.h"
#include "pubsub/channel_name.h"
#include "server/core.h"
#include "ws/frame_writer.h"

namespace spillway::server {
namespace {

template <class... F>
struct Overload : F... {
    using F::operator()...;
};

using protocol::ErrorCode;

std::string text_frame(std::string_view json) {
    std::string frame;
    ws::append_text(frame, json);
    return frame;
}

}  // namespace

std::string PusherFront::socket_id(const Client& client) const {
    return protocol::format_socket_id({client.nonce, ClientId::unpack(client.id)});
}

// ---- connecting

void PusherFront::opened(Client& client, std::optional<AppIndex> app, std::string_view key,
                         const http::Target& target) {
    if (!app) {
        core_.stats.count_refusal(Refusal::unknown_app);
        return refuse(client, ErrorCode::unknown_app, protocol::unknown_app_text(key));
    }
    const AppConfig& settings = core_.apps[*app];
    if (!settings.enabled) {
        core_.stats.count_refusal(Refusal::app_disabled);
        return refuse(client, ErrorCode::app_disabled, protocol::default_text(ErrorCode::app_disabled));
    }
    if (const auto fault = check_version(settings, target))
        return refuse(client, *fault, protocol::default_text(*fault));
    if (!core_.quotas.per_app[*app].enter(settings.max_clients)) {
        core_.stats.count_refusal(Refusal::app_quota);
        return refuse(client, ErrorCode::app_over_quota, protocol::default_text(ErrorCode::app_over_quota));
    }
    client.app = *app;
    client.has_app = true;
    client.nonce = core_.random.next();
    client.unauthorized = settings.require_authorization;
    client.opened = core_.now;
    json_.clear();
    protocol::encode_connection_established(
        json_, socket_id(client), std::chrono::duration_cast<std::chrono::seconds>(core_.config.activity_timeout));
    core_.http.answer_upgrade(client, text_frame(json_));
}

void PusherFront::refuse(Client& client, ErrorCode code, std::string_view text) {
    const std::string words(text);
    core_.http.answer_upgrade(client);
    core_.life.close(client, {code_of(code), CloseReason::policy, words});
}

std::optional<ErrorCode> PusherFront::check_version(const AppConfig& app, const http::Target& target) const {
    if (!app.strict_protocol) return std::nullopt;
    const auto version = target.parameter("protocol");
    if (!version || version->empty()) return ErrorCode::no_protocol;
    unsigned number = 0;
    const auto [end, fault] = std::from_chars(version->data(), version->data() + version->size(), number);
    if (fault != std::errc{} || end != version->data() + version->size()) return ErrorCode::invalid_version;
    if (number < 5 || number > 7) return ErrorCode::unsupported_protocol;
    return std::nullopt;
}

// ---- messages

void PusherFront::message(Client& client, std::string_view text) {
    const auto decoded = protocol::decode(text, scratch_);
    if (!decoded) {
        error(client, std::nullopt, decoded.error().reason);
        return;
    }
    std::visit(Overload{
                   [&](const protocol::Subscribe& wanted) { subscribe(client, wanted); },
                   [&](const protocol::Unsubscribe& wanted) { unsubscribe(client, wanted); },
                   [&](const protocol::Ping&) {
                       json_.clear();
                       protocol::encode_pong(json_);
                       core_.sender.control(client, text_frame(json_));
                   },
                   [&](const protocol::Pong&) {},
                   [&](const protocol::Signin& signin) { core_.users.sign_in(client, signin); },
                   [&](const protocol::ClientEvent& event) { client_event(client, event); },
                   [&](const protocol::Unknown&) { error(client, std::nullopt, "Unknown event"); },
               },
               *decoded);
}

void PusherFront::subscribe(Client& client, const protocol::Subscribe& wanted) {
    const AppConfig& app = core_.apps[client.app];
    if (pubsub::server_to_user_id(wanted.channel)) return core_.users.subscribe(client, wanted.channel);
    if (!pubsub::is_valid_channel_name(wanted.channel, app.max_channel_name)) {
        error(client, std::nullopt, protocol::invalid_channel_name_text(wanted.channel));
        return;
    }
    const pubsub::ChannelTraits traits = pubsub::classify(wanted.channel);
    if (!within_limits(client, wanted.channel)) return;
    if (traits.needs_auth() && !authorised(client, wanted)) return;
    std::optional<protocol::Member> member;
    if (traits.presence && !(member = member_of(client, wanted))) return;
    if (!core_.membership.subscribe(client, pubsub::channel_key(client.app, wanted.channel),
                                    member ? &*member : nullptr))
        error(client, std::nullopt, protocol::existing_subscription_text(wanted.channel));
}

std::optional<protocol::Member> PusherFront::member_of(Client& client, const protocol::Subscribe& wanted) {
    const std::size_t bytes_max = core_.apps[client.app].max_presence_member_bytes;
    if (!wanted.channel_data && client.user == nullptr) {
        subscription_error(client, wanted.channel, "AuthError", protocol::channel_data_required_text(wanted.channel),
                           401, code_of(ErrorCode::unauthorized));
        return std::nullopt;
    }
    const auto member = wanted.channel_data
                            ? protocol::decode_member(*wanted.channel_data, bytes_max, scratch_.channel_data)
                            : protocol::signed_in_member(client.user->id, client.user->user_info, bytes_max);
    if (member) return *member;
    subscription_error(client, wanted.channel, member.error().status == 400 ? "InvalidMember" : "LimitReached",
                       member.error().reason, member.error().status);
    return std::nullopt;
}

bool PusherFront::within_limits(Client& client, std::string_view channel) {
    const AppConfig& app = core_.apps[client.app];
    if (!client.subscribes.take(now_ms(), app.max_subscribes_per_second)) {
        core_.stats.count_refusal(Refusal::subscribe_rate);
        subscription_error(client, channel, "LimitReached", "This connection subscribes too often", 429);
        return false;
    }
    const std::size_t own = client.subscriptions.size() - (client.user != nullptr ? 1 : 0);  // less the hidden one
    if (app.max_channels_per_client == 0 || own < app.max_channels_per_client) return true;
    subscription_error(client, channel, "LimitReached", "This connection has all the channels it may have", 4100);
    return false;
}

std::uint64_t PusherFront::now_ms() const {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(core_.now.time_since_epoch()).count());
}

bool PusherFront::authorised(Client& client, const protocol::Subscribe& wanted) {
    const AppConfig& app = core_.apps[client.app];
    const std::string id = socket_id(client);
    const auto result = protocol::verify_channel_auth(app.key, {app.secret, app.secret_previous}, id, wanted.channel,
                                                      wanted.channel_data, wanted.auth);
    if (result == protocol::AuthResult::ok) return true;
    const std::string text = protocol::auth_failure_text(result, id, wanted.channel, wanted.auth);
    subscription_error(client, wanted.channel, "AuthError", text, 401, code_of(ErrorCode::unauthorized));
    return false;
}

void PusherFront::subscribed(Client& client, const pubsub::LocalChannel& channel) {
    json_.clear();
    protocol::encode_subscription_succeeded(json_, channel.name);
    core_.sender.answer(client, text_frame(json_));
}

void PusherFront::channel_full(Client& client, std::string_view channel) {
    subscription_error(client, channel, "LimitReached", "This presence channel has all the members it may have",
                       code_of(ErrorCode::over_capacity));
}

void PusherFront::cache_missed(Client& client, std::string_view channel) {
    json_.clear();
    protocol::encode_cache_miss(json_, channel);
    core_.sender.answer(client, text_frame(json_));
}

void PusherFront::unsubscribe(Client& client, const protocol::Unsubscribe& wanted) {
    if (pubsub::server_to_user_id(wanted.channel)) return core_.users.unsubscribe(client, wanted.channel);
    if (!core_.membership.unsubscribe(client, pubsub::channel_key(client.app, wanted.channel)))
        error(client, std::nullopt, protocol::no_current_subscription_text(wanted.channel));
}

void PusherFront::client_event(Client& client, const protocol::ClientEvent& event) {
    const AppConfig& app = core_.apps[client.app];
    const auto rejected = code_of(ErrorCode::client_event_rejected);
    const auto refuse = [&](std::string_view text) {
        refuse_client_event(client, Refusal::client_event, rejected, text);
    };
    if (!app.client_events) return refuse("Client events are not enabled for this app");
    if (!pubsub::classify(event.channel).needs_auth())
        return refuse("Client events are only for private and presence channels");
    const pubsub::ChannelKey key = pubsub::channel_key(client.app, event.channel);
    if (!core_.membership.is_subscribed(client, key))
        return refuse_client_event(client, Refusal::client_event, std::nullopt,
                                   protocol::client_event_not_subscribed_text(event.channel));
    if (event.event.size() > app.max_event_name) return refuse("The event's name is too long");
    if (event.data_json.size() > app.max_event_bytes) return refuse("The event's data is too large");
    if (!client.client_events.take(now_ms(), app.client_events_per_second))
        return refuse_client_event(client, Refusal::client_event_rate, rejected,
                                   "The client event rate limit was reached");
    const std::string_view channels[] = {event.channel};
    const Publication publication{client.app,
                                  event.event,
                                  event.has_data ? event.data_json : "null",
                                  channels,
                                  {client.nonce, ClientId::unpack(client.id)},
                                  Priority::normal,
                                  true};
    // Room was made sure of before this message was looked at.
    if (core_.memory.refuses_publications() || core_.publisher.publish(std::span(&publication, 1), 0) == 0) {
        core_.stats.publish_refused.add();
        error(client, rejected, "The server is too busy to take this event now");
    }
}

void PusherFront::refuse_client_event(Client& client, Refusal reason, std::optional<std::uint16_t> code,
                                      std::string_view text) {
    core_.stats.count_refusal(reason);
    error(client, code, text);
}

// ---- answers

void PusherFront::error(Client& client, std::optional<std::uint16_t> code, std::string_view text) {
    core_.stats.client_errors.add();
    json_.clear();
    protocol::encode_error(json_, code, text);
    core_.sender.control(client, text_frame(json_));
}

void PusherFront::subscription_error(Client& client, std::string_view channel, std::string_view type,
                                     std::string_view text, std::uint16_t status, std::optional<std::uint16_t> code) {
    error(client, code, text);
    json_.clear();
    protocol::encode_subscription_error(json_, channel, type, text, status);
    // Behind the answers to subscriptions before it, of this channel perhaps.
    core_.sender.answer(client, text_frame(json_));
}

}  // namespace spillway::server
