// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/users.h"

#include <algorithm>
#include <memory>

#include "base/assert.h"
#include "base/format.h"
#include "base/log.h"
#include "protocol/auth.h"
#include "protocol/codec.h"
#include "protocol/errors.h"
#include "pubsub/channel_name.h"
#include "server/core.h"
#include "ws/frame_writer.h"

namespace spillway::server {
namespace {

using protocol::ErrorCode;
using pubsub::LocalWatch;
using pubsub::LocalWatches;
using pubsub::Online;
using pubsub::WatchId;

/// Watchers looked at before something else has its turn: some hundreds of microseconds when each has to be told.
constexpr std::size_t kLooks = 512;

std::string_view failure_text(protocol::AuthResult result) {
    switch (result) {
        case protocol::AuthResult::ok:
        case protocol::AuthResult::bad_signature: break;
        case protocol::AuthResult::missing: return "Sign-in failed: there is no auth";
        case protocol::AuthResult::malformed: return "Sign-in failed: auth is not KEY:SIGNATURE";
        case protocol::AuthResult::wrong_key: return "Sign-in failed: the key in auth is not this app's";
    }
    return "Sign-in failed: the signature in auth is not valid";
}

std::string_view user_of(const LocalWatch& watch) { return pubsub::server_to_user_id(watch.channel).value_or(""); }

}  // namespace

Users::Users(Core& core) : core_(core), local_(core.cores), home_(core.cores) {}

// ---- signing in

void Users::sign_in(Client& client, const protocol::Signin& signin) {
    const AppConfig& app = core_.apps[client.app];
    const auto verified = protocol::verify_signin(app.key, {app.secret, app.secret_previous},
                                                  core_.pusher.socket_id(client), signin.user_data, signin.auth);
    if (verified != protocol::AuthResult::ok) return refuse(client, failure_text(verified));
    const auto user = protocol::decode_user_data(signin.user_data, scratch_);
    if (!user) return refuse(client, user.error());
    if (client.user != nullptr && client.user->id != user->id) {
        core_.stats.count_refusal(Refusal::signin);
        return core_.pusher.error(client, std::nullopt, "Connection is already signed in as another user");
    }
    const bool first = client.user == nullptr;
    if (first) {
        auto fresh = std::make_unique<SignedInUser>();
        fresh->id = user->id;
        fresh->user_info = user->user_info;
        client.user = fresh.release();
    }
    SignedInUser& own = *client.user;
    ++own.answers_due;
    own.user_data = signin.user_data;
    if (!first) {
        if (own.joined) answer_sign_in(client);
        return;
    }
    if (base::log::enabled(base::log::Level::debug))
        base::log::debug(base::concat(log_name(client), " signed in as \"", base::log::escaped(user->id), '"'));
    client.high_priority = app.high_priority_users && user->high_priority;
    const std::string channel = pubsub::server_to_user_channel(user->id);
    SPILLWAY_ASSERT(core_.membership.subscribe(client, pubsub::channel_key(client.app, channel)));
    if (!app.watchlist) return;
    own.too_many = user->too_many;
    start_watching(client, user->watchlist);
}

void Users::refuse(Client& client, std::string_view text) {
    core_.stats.count_refusal(Refusal::signin);
    core_.life.close(client, {protocol::code_of(ErrorCode::unauthorized), CloseReason::policy, text});
}

void Users::joined(Client& client) {
    client.user->joined = true;
    answer_sign_in(client);
    if (client.user != nullptr && client.user->subscribed) answer_subscribe(client);
    if (client.user != nullptr) tell_watchlist(client);
}

void Users::answer_sign_in(Client& client) {
    const std::string user_data = std::move(client.user->user_data);
    client.user->user_data = {};
    for (; client.user != nullptr && client.user->answers_due != 0; --client.user->answers_due) {
        json_.clear();
        protocol::encode_signin_success(json_, user_data);
        send(client);
        if (client.user == nullptr) return;  // its queue was full
    }
    if (client.user == nullptr || !client.user->too_many) return;
    client.user->too_many = false;
    core_.stats.client_errors.add();
    json_.clear();
    protocol::encode_error(json_, protocol::code_of(ErrorCode::watchlist_limit),
                           "Watchlist limit exceeded: the first 100 are watched");
    send(client);
}

void Users::left(Client& client) {
    const std::unique_ptr<SignedInUser> user(client.user);
    client.user = nullptr;
    if (user == nullptr) return;
    for (const SignedInUser::Place& place : user->watches) {
        LocalWatch& watch = *local_.get(place.watch);
        const CoreId home = watch.home;
        const bool closed =
            local_.remove(watch, place.index, [&](std::uint32_t slot, std::uint32_t back, std::uint32_t index) {
                core_.clients[slot].user->watches[back].index = index;
            });
        if (closed) core_.port.send(home, Unwatch{place.watch});
    }
}

void Users::expel(const Expel& order) {
    const pubsub::LocalChannel* channel = core_.channels.get(order.local);
    if (channel == nullptr) return;
    std::vector<std::uint32_t> slots;  // closing changes the list
    for (const pubsub::Subscriber& subscriber : channel->subscribers)
        if (!subscriber.is_gone()) slots.push_back(subscriber.slot);
    for (const std::uint32_t slot : slots)
        core_.life.close(core_.clients[slot], {protocol::code_of(ErrorCode::unauthorized), CloseReason::policy,
                                               "The application terminated this user's connections"});
}

void Users::terminate(std::uint64_t call, AppIndex app, std::string_view user) {
    const std::string channel = pubsub::server_to_user_channel(user);
    const pubsub::ChannelKey key = pubsub::channel_key(app, channel);
    core_.port.send(pubsub::home_core(key, core_.cores), Terminate{NameBlock::make(core_.blocks, key), call});
}

// ---- the hidden channel by name

void Users::subscribe(Client& client, std::string_view channel) {
    SignedInUser* user = client.user;
    if (user == nullptr || pubsub::server_to_user_id(channel) != user->id) {
        core_.pusher.subscription_error(client, channel, "AuthError",
                                        "Only who is signed in as this user may subscribe to its channel", 401,
                                        protocol::code_of(ErrorCode::unauthorized));
        return;
    }
    if (user->subscribed)
        return core_.pusher.error(client, std::nullopt, protocol::existing_subscription_text(channel));
    user->subscribed = true;
    if (user->joined) answer_subscribe(client);
}

void Users::answer_subscribe(Client& client) {
    json_.clear();
    protocol::encode_subscription_succeeded(json_, pubsub::server_to_user_channel(client.user->id));
    send(client);
}

void Users::unsubscribe(Client& client, std::string_view channel) {
    SignedInUser* user = client.user;
    if (user != nullptr && user->subscribed && pubsub::server_to_user_id(channel) == user->id) {
        user->subscribed = false;
    } else {
        core_.pusher.error(client, std::nullopt, protocol::no_current_subscription_text(channel));
    }
}

void Users::send(Client& client) {
    frame_.clear();
    ws::append_text(frame_, json_);
    core_.sender.answer(client, frame_);
}

// ---- watching

void Users::start_watching(Client& client, const std::vector<std::string_view>& ids) {
    SignedInUser& own = *client.user;
    own.watches.reserve(ids.size());
    for (const std::string_view id : ids) {
        const std::string channel = pubsub::server_to_user_channel(id);
        const auto [watch, is_new] = local_.open(pubsub::channel_key(client.app, channel));
        const auto back = static_cast<std::uint32_t>(own.watches.size());
        own.watches.push_back({watch.id, LocalWatches::add(watch, client.slot(), back)});
        own.unknown += watch.online == Online::unknown ? 1 : 0;
        if (is_new) core_.port.send(watch.home, Watch{NameBlock::make(core_.blocks, watch.key), watch.id});
    }
}

void Users::tell_watchlist(Client& client) {
    SignedInUser& own = *client.user;
    if (!own.joined || own.told || own.unknown != 0) return;
    own.told = true;
    if (own.watches.empty()) return;
    std::vector<std::string_view> online;
    std::vector<std::string_view> offline;
    for (const SignedInUser::Place& place : own.watches) {
        LocalWatch& watch = *local_.get(place.watch);
        watch.watchers[place.index].told = watch.online;
        (watch.online == Online::yes ? online : offline).push_back(user_of(watch));
    }
    json_.clear();
    protocol::encode_watchlist_events(json_, online, offline);
    send(client);
}

void Users::watched(const Watched& answer) {
    LocalWatch* watch = local_.get(answer.id);
    if (watch == nullptr) return;  // nobody watches any more
    const bool first = watch->online == Online::unknown;
    LocalWatches::set(*watch, answer.online);
    if (!first) {
        std::size_t looks = kLooks;
        return walk(*watch, looks);
    }
    watch->cursor = static_cast<std::uint32_t>(watch->watchers.size());  // nobody was told anything yet
    std::vector<std::uint32_t> ready;
    for (const pubsub::Watcher& watcher : watch->watchers)
        if (--core_.clients[watcher.slot].user->unknown == 0) ready.push_back(watcher.slot);
    for (const std::uint32_t slot : ready)
        if (core_.clients[slot].user != nullptr) tell_watchlist(core_.clients[slot]);
}

void Users::walk(LocalWatch& begun, std::size_t& looks) {
    const WatchId id = begun.id;
    const std::string user(user_of(begun));
    // Telling may close a client for its full queue, and with its last watcher the watch.
    LocalWatch* watch = &begun;
    while (const pubsub::Watcher* watcher = LocalWatches::next_to_tell(*watch, looks)) {
        const std::string_view ids[] = {user};
        const bool online = watcher->told == Online::yes;
        json_.clear();
        protocol::encode_watchlist_events(json_, std::span(ids).first(online ? 1 : 0),
                                          std::span(ids).first(online ? 0 : 1));
        send(core_.clients[watcher->slot]);
        watch = local_.get(id);
        if (watch == nullptr) return;
    }
    if (LocalWatches::walked(*watch) || watch->walking) return;
    watch->walking = true;
    walks_.push_back(id);
}

void Users::go_on() {
    std::size_t looks = kLooks;
    for (std::size_t n = walks_.size(); n != 0 && looks != 0; --n) {
        LocalWatch* watch = local_.get(walks_.front());
        walks_.pop_front();
        if (watch == nullptr) continue;
        watch->walking = false;
        walk(*watch, looks);
    }
}

// ---- the home's side

void Users::watch(CoreId from, const Watch& question) {
    const pubsub::ChannelKey key = question.name->key();
    home_.watch(from, question.id, key);
    core_.port.send(from, Watched{question.id, core_.home.is_occupied(key) ? Online::yes : Online::no});
    core_.blocks.release(question.name);
}

void Users::unwatch(CoreId from, const Unwatch& end) { home_.unwatch(from, end.id); }

void Users::changed(const pubsub::ChannelKey& key, Online online) {
    home_.for_each_asker(
        key, [&](const pubsub::HomeWatches::Asker& asker) { core_.port.send(asker.core, Watched{asker.id, online}); });
}

void Users::check_invariants() {
    local_.check_invariants();
    core_.clients.for_each([&](std::uint32_t slot, Client& client) {
        if (client.user == nullptr) return;
        SPILLWAY_ASSERT(client.state == ClientState::open && client.kind == ClientKind::pusher);
        std::uint32_t unknown = 0;
        for (std::size_t i = 0; i < client.user->watches.size(); ++i) {
            const LocalWatch* watch = local_.get(client.user->watches[i].watch);
            SPILLWAY_ASSERT(watch != nullptr);
            const pubsub::Watcher& watcher = watch->watchers[client.user->watches[i].index];
            SPILLWAY_ASSERT(watcher.slot == slot && watcher.back == i);
            SPILLWAY_ASSERT((watcher.told != Online::unknown) == client.user->told);
            unknown += watch->online == Online::unknown ? 1 : 0;
        }
        SPILLWAY_ASSERT(unknown == client.user->unknown);
    });
}

}  // namespace spillway::server
