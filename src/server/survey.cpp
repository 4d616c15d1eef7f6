// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/survey.h"

#include <algorithm>

#include "server/core.h"

namespace spillway::server {
namespace {

/// Places looked at per survey: well under a millisecond.
constexpr std::uint32_t kLooks = 16'384;

/// Keeps the kTop largest, largest first.
template <class T, class Key>
void keep_top(std::vector<T>& top, const T& one, Key key) {
    if (top.size() == SurveyBlock::kTop && key(top.back()) >= key(one)) return;
    const auto place = std::ranges::find_if(top, [&](const T& other) { return key(other) < key(one); });
    top.insert(place, one);
    if (top.size() > SurveyBlock::kTop) top.pop_back();
}

SurveyBlock::Channel described(const pubsub::HomeChannel& channel) {
    SurveyBlock::Channel result;
    result.subscribers = channel.subscribers();
    result.messages = channel.seq;
    result.app = channel.key.app;
    result.name_size = static_cast<std::uint32_t>(std::min(channel.name.size(), result.name.size()));
    std::ranges::copy_n(channel.name.begin(), result.name_size, result.name.begin());
    return result;
}

}  // namespace

SurveyBlock* Survey::take() {
    walk_clients();
    walk_channels();
    auto* block = core_.blocks.make<SurveyBlock>(0);
    block->backlogs = static_cast<std::uint32_t>(backlogs_.size());
    block->channels = static_cast<std::uint32_t>(channels_.size());
    std::ranges::copy(backlogs_, block->backlog.begin());
    std::ranges::copy(channels_, block->channel.begin());
    return block;
}

void Survey::walk_clients() {
    const std::uint32_t end = core_.clients.slots_used();
    for (std::uint32_t looks = 0; looks < kLooks && next_slot_ < end; ++looks, ++next_slot_) {
        if (!core_.clients.is_live(next_slot_)) continue;
        const Client& client = core_.clients[next_slot_];
        if (client.out == nullptr || !counts_as_client(client.kind)) continue;
        if (client.out->queue.empty() && !client.sending) continue;  // a ping on its way is no backlog
        const auto stalled = client.sending ? core_.now - client.out->waiting_since : base::Duration::zero();
        const SurveyBlock::Backlog backlog{client.id,
                                           client.nonce,
                                           client.out->queue.size(),
                                           client.out->bytes(),
                                           std::chrono::duration_cast<std::chrono::milliseconds>(stalled).count(),
                                           client.kind,
                                           client.app};
        keep_top(backlogs_found_, backlog, [](const SurveyBlock::Backlog& b) { return b.bytes; });
    }
    if (next_slot_ < end) return;
    next_slot_ = 0;
    backlogs_.swap(backlogs_found_);
    backlogs_found_.clear();
}

void Survey::walk_channels() {
    next_channel_ = core_.home.channels().for_some(next_channel_, kLooks, [this](const pubsub::HomeChannel& channel) {
        if (channel.name.starts_with('#')) return;  // no channel of anybody's
        const auto size = [](const SurveyBlock::Channel& c) { return c.subscribers; };
        if (channels_found_.size() == SurveyBlock::kTop && channels_found_.back().subscribers >= channel.subscribers())
            return;
        keep_top(channels_found_, described(channel), size);
    });
    if (next_channel_ != 0) return;
    channels_.swap(channels_found_);
    channels_found_.clear();
}

}  // namespace spillway::server
