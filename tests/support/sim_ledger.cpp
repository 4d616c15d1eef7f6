// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "sim_ledger.h"

#include <algorithm>
#include <utility>

namespace spillway::test {
namespace {

constexpr std::string_view kEvent = R"({"event":")";
constexpr std::string_view kChannel = R"(,"channel":")";

/// Takes the rest of a JSON string off `text`, its end quote included; as written.
std::string_view take_string(std::string_view& text) {
    std::size_t end = 0;
    while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? 2 : 1;
    const std::string_view taken = text.substr(0, end);
    text.remove_prefix(std::min(text.size(), end + 1));
    return taken;
}

bool caches(std::string_view channel) {
    return channel.starts_with("cache-") || channel.starts_with("private-cache-") ||
           channel.starts_with("presence-cache-");
}

}  // namespace

// ---- the books

SimLedger::Account& SimLedger::account(std::string_view channel) {
    const auto found = accounts_.find(channel);
    if (found != accounts_.end()) return found->second;
    Account& fresh = accounts_[std::string(channel)];
    fresh.name = channel;
    fresh.subscribers.resize(cores_);
    return fresh;
}

SimLedger::Account& SimLedger::of(const pubsub::Message& message) {
    const auto found = messages_.find(&message);
    sim_check(found != messages_.end(), "has only messages under way that were sequenced");
    return *found->second.account;
}

void SimLedger::left(std::string_view channel, CoreId core) {
    std::uint64_t& subscribers = account(channel).subscribers[core];
    sim_check(subscribers != 0, "lets only those leave who are there");
    --subscribers;
}

void SimLedger::sent(std::string_view channel, const pubsub::Message& message, CoreId to, std::uint64_t expected) {
    Account& of = account(channel);
    sim_check(of.subscribers[to] == expected, "sends a message to everybody who is in its channel");
    of.due += expected;
    messages_[&message] = {&of, 0};
    last_ = message.pusher_only ? nullptr : &message;
}

void SimLedger::sequenced(std::string_view channel, std::uint64_t publication) {
    if (last_ == nullptr) return;
    Sent& sent = messages_[last_];
    sim_check(sent.account->name == channel, "sends a publication to its own channel");
    sent.publication = publication;
    last_ = nullptr;
}

void SimLedger::settle() {
    for (auto& [name, a] : accounts_) {
        const bool kept = a.due == a.delivered + a.dropped + a.excluded + a.still;
        if (!kept)
            sim_check(false, "conserves messages: due = delivered + dropped + excluded + under way; in " + name + " " +
                                 std::to_string(a.due) + " = " + std::to_string(a.delivered) + " + " +
                                 std::to_string(a.dropped) + " + " + std::to_string(a.excluded) + " + " +
                                 std::to_string(a.still));
        a.still = 0;
    }
}

// ---- the wire

void DeliveryTap::took(std::string_view bytes) {
    if (peer_ && peer_->kind == Peer::Kind::other) return;
    if (!peer_) {
        http_.feed(bytes);
        while (const auto answer = http_.next()) {
            if (answer->status != 101) continue;
            Peer who = who_();
            // It may have been cut between the two pieces of its upgrade; messages that were under way still follow.
            if (who.kind == Peer::Kind::feed && who.channel.empty()) who.channel = joined_;
            if (who.channel.empty() && who.kind == Peer::Kind::feed) who.kind = Peer::Kind::other;
            if (who.kind == Peer::Kind::feed && caches(who.channel) && found_kept_) expects_kept_.insert(who.channel);
            peer_ = std::move(who);
            frames_.feed(http_.take_rest());
            break;
        }
        if (!peer_ || peer_->kind == Peer::Kind::other) return;
    } else {
        frames_.feed(bytes);
    }
    while (const auto frame = frames_.next())
        if (frame->opcode == opcode::kText) understand(frame->payload);
}

void DeliveryTap::understand(std::string_view text) {
    std::string_view event;
    std::string_view channel = peer_->channel;
    const bool feed = peer_->kind == Peer::Kind::feed;
    if (text.starts_with(kEvent)) {
        text.remove_prefix(kEvent.size());
        event = take_string(text);
        if (event == "spillway:gap") return;
        if (!feed && text.starts_with(kChannel)) {
            text.remove_prefix(kChannel.size());
            channel = take_string(text);
        }
    }
    if (channel.empty()) return;  // an answer
    if (!feed && event == "pusher_internal:subscription_succeeded") {
        if (caches(channel)) expects_kept_.emplace(channel);
        return;
    }
    const bool told = event == "pusher_internal:member_added" || event == "pusher_internal:member_removed" ||
                      event == "pusher_internal:subscription_count";
    if (!feed && !told && event.starts_with("pusher") && event != "pusher:cache_miss") return;  // an answer
    if (const auto kept = expects_kept_.find(channel); kept != expects_kept_.end() && !told) {
        expects_kept_.erase(kept);
        return;
    }
    if (!feed && event == "pusher:cache_miss") return;
    ledger_.delivered(channel);
}

}  // namespace spillway::test
