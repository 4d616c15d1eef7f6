// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What crosses between cores: small trivially copyable structs, with a block behind a pointer where bytes go along. Who
// receives a block holds one count of it.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <variant>

#include <spillway/address.h>
#include <spillway/errors.h>
#include <spillway/ids.h>
#include <spillway/message.h>

#include "protocol/api.h"
#include "protocol/idempotency_keys.h"
#include "pubsub/block_pool.h"
#include "pubsub/channel_key.h"
#include "pubsub/local_watches.h"
#include "pubsub/message.h"
#include "server/address_book.h"

namespace spillway::server {

struct Snapshot;
struct SurveyBlock;

/// A channel's name on its way to the home core.
struct NameBlock : pubsub::Block {
    std::uint64_t hash = 0;
    AppIndex app = 0;
    std::uint32_t size = 0;

    [[nodiscard]] char* text() { return reinterpret_cast<char*>(this + 1); }
    [[nodiscard]] pubsub::ChannelKey key() { return {hash, app, {text(), size}}; }
    [[nodiscard]] static NameBlock* make(pubsub::BlockPool& blocks, const pubsub::ChannelKey& key) {
        auto* name = blocks.make<NameBlock>(key.name.size());
        name->hash = key.hash;
        name->app = key.app;
        name->size = static_cast<std::uint32_t>(key.name.size());
        if (!key.name.empty()) std::memcpy(name->text(), key.name.data(), key.name.size());
        return name;
    }
};

/// A member on the way to the home of its presence channel.
struct MemberBlock : pubsub::Block {
    std::uint32_t id_bytes = 0;
    std::uint32_t info_bytes = 0;

    [[nodiscard]] char* text() { return reinterpret_cast<char*>(this + 1); }
    [[nodiscard]] std::string_view id() { return {text(), id_bytes}; }
    [[nodiscard]] std::string_view info() { return {text() + id_bytes, info_bytes}; }
};

/// Text on its way to the core that asked for it.
struct TextBlock : pubsub::Block {
    std::uint32_t size = 0;

    [[nodiscard]] char* text() { return reinterpret_cast<char*>(this + 1); }
    [[nodiscard]] std::string_view view() { return {text(), size}; }
};
[[nodiscard]] inline TextBlock* make_text(pubsub::BlockPool& blocks, std::string_view text) {
    auto* block = blocks.make<TextBlock>(text.size());
    block->size = static_cast<std::uint32_t>(text.size());
    if (!text.empty()) std::memcpy(block->text(), text.data(), text.size());
    return block;
}

/// An idempotency key on its way to its owner, with what stands for the body.
struct KeyBlock : pubsub::Block {
    AppIndex app = 0;
    std::uint32_t key_size = 0;
    std::uint32_t digest_size = 0;

    [[nodiscard]] char* text() { return reinterpret_cast<char*>(this + 1); }
    [[nodiscard]] std::string_view key() { return {text(), key_size}; }
    [[nodiscard]] std::string_view digest() { return {text() + key_size, digest_size}; }
};

/// A publication that has no order yet: one body for all its channels. Held once per home core concerned.
struct PublishBody : pubsub::Block {
    struct Target {
        std::uint64_t hash = 0;
        std::uint32_t at = 0;  // of the channel's name, behind the targets
        std::uint32_t size = 0;
    };
    struct Text {
        std::uint32_t at = 0;
        std::uint32_t size = 0;
    };

    std::uint64_t exclude = 0;  // packed ClientId; 0 = nobody
    std::uint64_t exclude_nonce = 0;
    AppIndex app = 0;
    Priority priority = Priority::normal;
    bool counts_wanted = false;  // the answer tells how many subscribe
    bool data_is_json = false;   // true: a client event, the data's own JSON text; false: a string to be encoded as one
    std::uint16_t targets = 0;
    Text event;
    Text data;

    [[nodiscard]] Target* target_list() { return reinterpret_cast<Target*>(this + 1); }
    [[nodiscard]] char* texts() { return reinterpret_cast<char*>(target_list() + targets); }
    [[nodiscard]] std::string_view text(Text t) { return {texts() + t.at, t.size}; }
    [[nodiscard]] pubsub::ChannelKey key(std::uint16_t target) {
        const Target& t = target_list()[target];
        return {t.hash, app, {texts() + t.at, t.size}};
    }
};

/// Subscribing core -> home. `name` with the first join of this local id only; `member` on presence channels only.
struct Join {
    std::uint64_t client = 0;  // packed
    LocalChannelId local;
    NameBlock* name = nullptr;
    MemberBlock* member = nullptr;
    std::uint32_t nonce = 0;
    WireForm form = WireForm::pusher;
};
/// Subscribing core -> home; follows its join on the same ring, even while that is pending.
struct Leave {
    LocalChannelId local;
    WireForm form = WireForm::pusher;
    std::uint64_t client = 0;
};
/// Home -> subscribing core, in line with the broadcasts.
struct Joined {
    std::uint64_t client = 0;
    std::uint64_t first_seq = 0;
    LocalChannelId local;
    std::uint32_t nonce = 0;
    /// Presence: there are as many members as there may be. The join counts until its leave, which is to follow.
    bool full = false;
    pubsub::Message* succeeded = nullptr;  // presence: what the client is answered, with everybody who is there
};
/// Home -> subscribing core, right behind the Joined of a cache channel: the event for the client alone, or nullptr if there
/// is none.
struct Cached {
    std::uint64_t client = 0;
    LocalChannelId local;
    pubsub::Message* message = nullptr;
    std::uint32_t nonce = 0;
};
/// Publishing core -> home: one target of the body.
struct Publish {
    PublishBody* body = nullptr;
    std::uint64_t reply_to = 0;  // the call that waits for Sequenced; 0 = nobody
    std::uint32_t place = 0;     // among the call's events and channels
    std::uint16_t target = 0;
};
/// Home -> publishing core: the publication has its place in the order. The counts, if they were asked for, are as of then.
struct Sequenced {
    std::uint64_t reply_to = 0;
    std::uint32_t place = 0;
    std::uint32_t subscriptions = 0;
    std::uint32_t users = 0;
};
/// Core that serves the API -> home.
struct Query {
    enum class What : std::uint8_t {
        channel,   // `name`: what it is like
        users,     // `name`: who is in it
        channels,  // all whose names begin with `name`
    };
    NameBlock* name = nullptr;
    std::uint64_t reply_to = 0;  // the call that waits for Told
    What what = What::channel;
    protocol::InfoSet info;
};
/// Home -> core that asked: a piece of the answer's text, or nullptr for none.
struct Told {
    TextBlock* text = nullptr;
    std::uint64_t reply_to = 0;
    bool last = false;
};
/// Core that serves the API -> owner of an idempotency key.
struct Claim {
    KeyBlock* key = nullptr;
    std::uint64_t call = 0;  // that waits for Claimed
};
/// Owner -> core that claimed.
struct Claimed {
    TextBlock* answer = nullptr;  // if it was published
    std::uint64_t call = 0;
    std::uint64_t ticket = 0;
    protocol::IdempotencyKeys::Verdict verdict = protocol::IdempotencyKeys::Verdict::go;
};
/// Core that was told to go -> owner: the answer, or nullptr if nothing was published.
struct Settle {
    TextBlock* answer = nullptr;
    std::uint64_t ticket = 0;
};
/// Home -> publishing core: so many publications were taken, as many more may come.
struct Credit {
    std::uint32_t count = 0;
};
/// Home -> subscribing core. `expected`: the core's subscribers as the home counted them when it sequenced.
struct Broadcast {
    pubsub::Message* message = nullptr;
    LocalChannelId local;
    std::uint32_t expected = 0;
};
/// A core -> home of a user's hidden channel: the first of the core's clients watches the user.
struct Watch {
    NameBlock* name = nullptr;
    pubsub::WatchId id{};
};
/// The last one does so no more.
struct Unwatch {
    pubsub::WatchId id{};
};
/// Home -> core: the user's state, as the answer and at every change.
struct Watched {
    pubsub::WatchId id{};
    pubsub::Online online = pubsub::Online::unknown;
};
/// Core of an API connection -> home of a user's hidden channel: everybody in it is to be closed. Answered with Sequenced.
struct Terminate {
    NameBlock* name = nullptr;
    std::uint64_t reply_to = 0;  // the call
};
/// Home -> subscribing core, in line with the broadcasts: close the channel's clients.
struct Expel {
    LocalChannelId local;
};
/// Last holder -> owner: blocks to be used again.
struct Returns {
    pubsub::Block* list = nullptr;
};
/// Upgrading core -> home of the address: may one more come in?
struct Knock {
    std::uint64_t client = 0;  // packed
    Address address;           // as the limits count it
};
/// Home of the address -> upgrading core. An admitted client gives its place back with AddressLeft.
struct Knocked {
    std::uint64_t client = 0;
    std::uint32_t place = 0;
    AddressBook::Verdict verdict = AddressBook::Verdict::admitted;
};
struct AddressLeft {
    std::uint32_t place = 0;
};
/// Control thread -> core: settings to take over. They live until every core has answered with Reloaded.
struct Reload {
    const Snapshot* snapshot = nullptr;
};
/// Core -> control thread: the settings before are not used here any more.
struct Reloaded {};
/// The core of the metrics port -> core: what is there to be told? And the answer.
struct SurveyAsked {};
struct Surveyed {
    SurveyBlock* block = nullptr;
};
/// Between the control thread and the cores.
struct Signal {
    /// hand_over: drain, while a successor accepts on the same sockets of the main port. leave_local: and on the Unix socket;
    /// comes before.
    enum class What : std::uint8_t { drain, leave_local, hand_over, leave_metrics, force, stop, drained };
    What what = What::drain;
};

using Envelope = std::variant<Join, Leave, Joined, Cached, Publish, Sequenced, Query, Told, Claim, Claimed, Settle,
                              Credit, Broadcast, Watch, Unwatch, Watched, Terminate, Expel, Returns, Knock, Knocked,
                              AddressLeft, SurveyAsked, Surveyed, Reload, Reloaded, Signal>;
static_assert(std::is_trivially_copyable_v<Envelope> && sizeof(Envelope) <= 48);

}  // namespace spillway::server
