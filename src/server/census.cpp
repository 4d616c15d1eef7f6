// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/census.h"

#include "protocol/api_answer.h"
#include "protocol/json_escape.h"
#include "server/core.h"

namespace spillway::server {
namespace {

/// Channels looked at in a turn: about 100 us when they are far apart in memory.
constexpr std::size_t kScanMax = 1000;
/// A piece of a list is sent when it has become so large.
constexpr std::size_t kPieceBytes = 32 * kKiB;

}  // namespace

void Census::ask(CoreId from, const Query& query) {
    switch (query.what) {
        case Query::What::channels:
            lists_.push_back({from, query});
            if (lists_.size() == 1) begin_list();
            return;
        case Query::What::channel: describe_channel(query); break;
        case Query::What::users: describe_users(query); break;
    }
    core_.blocks.release(query.name);
    tell(from, query.reply_to, scratch_, true);
}

void Census::tell(CoreId from, std::uint64_t reply_to, std::string_view text, bool last) {
    TextBlock* const block = text.empty() ? nullptr : make_text(core_.blocks, text);
    core_.port.send(from, Told{block, reply_to, last});
}

void Census::describe_channel(const Query& query) {
    const pubsub::ChannelKey key = query.name->key();
    protocol::CachedEvent event;
    const auto cached = query.info.cache ? core_.home.cached(key) : std::nullopt;
    if (cached) {
        const auto left = std::chrono::ceil<std::chrono::seconds>(cached->expires - core_.now);
        event = {cached->data, static_cast<std::uint64_t>(left.count())};
    }
    scratch_.clear();
    protocol::append_channel_state(scratch_, key.name, query.info, core_.home.counts(key), cached ? &event : nullptr);
}

void Census::describe_users(const Query& query) {
    scratch_ = "{\"users\":[";
    if (const pubsub::Roster* roster = core_.home.roster(query.name->key())) {
        for (const pubsub::Roster::Member& member : roster->members()) {
            if (scratch_.back() != '[') scratch_ += ',';
            scratch_ += "{\"id\":";
            protocol::append_json_string(scratch_, member.id);
            scratch_ += '}';
        }
    }
    scratch_ += "]}";
}

void Census::begin_list() { core_.home.channels().begin_scan(); }

void Census::step() {
    if (lists_.empty() || core_.port.congested(lists_.front().from)) return;
    const List& list = lists_.front();
    const pubsub::ChannelKey wanted = list.query.name->key();
    scratch_.clear();
    const pubsub::HomeChannel* channel = nullptr;
    for (std::size_t n = 0; n < kScanMax && scratch_.size() < kPieceBytes; ++n) {
        channel = core_.home.channels().scan_next();
        if (channel == nullptr) break;
        if (channel->key.app != wanted.app || channel->hidden || channel->shares.empty() ||
            !channel->name.starts_with(wanted.name))
            continue;
        protocol::append_json_string(scratch_, channel->name);
        scratch_ += ':';
        protocol::append_channel_counts(scratch_, channel->name, list.query.info, core_.home.counts(channel->key));
        scratch_ += ',';
    }
    const bool last = channel == nullptr;
    if (last || !scratch_.empty()) tell(list.from, list.query.reply_to, scratch_, last);
    if (!last) return;
    core_.blocks.release(list.query.name);
    lists_.pop_front();
    if (!lists_.empty()) begin_list();
}

}  // namespace spillway::server
