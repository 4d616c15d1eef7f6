// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "pubsub/send_queue.h"

#include <algorithm>
#include <span>

#include "base/assert.h"

namespace spillway::pubsub {
namespace {

constexpr std::size_t kSmallRing = 8;
/// Of an empty queue on its way to another client: what a client may gain in a turn from many hot channels.
constexpr std::size_t kKeptRing = 64;

std::uint32_t tag_of(const QueueEntry& entry) {
    const std::uint64_t event = entry.held->message->event_hash;
    return static_cast<std::uint32_t>(event) ^ (entry.channel.slot * 0x9E37'79B1U);
}

/// Place of the first `tag` from `from` on, or the size. In blocks without a way out, which compilers turn into vector code.
std::size_t find_tag(std::span<const std::uint32_t> tags, std::size_t from, std::uint32_t tag) {
    constexpr std::size_t kBlock = 32;
    for (; from + kBlock <= tags.size(); from += kBlock) {
        std::uint32_t found = 0;
        for (std::size_t i = 0; i < kBlock; ++i) found |= tags[from + i] == tag ? 1U : 0U;
        if (found != 0) break;
    }
    while (from < tags.size() && tags[from] != tag) ++from;
    return from;
}

}  // namespace

bool SendQueue::is_over(Priority priority, bool high_client, const QueueLimits& limits, std::size_t count,
                        std::uint64_t bytes) {
    if (count == 0) return false;
    const std::uint64_t permille = threshold_permille(priority, high_client);
    return count * 1000 >= limits.messages * permille || bytes * 1000 >= limits.bytes * permille;
}

bool SendQueue::enters(const Offer& offer, const QueueLimits& limits, std::size_t count, std::uint64_t bytes,
                       std::uint64_t freed) {
    const Message& message = *offer.entry.held->message;
    return !is_over(message.priority, offer.high_client, limits, count, bytes) ||
           freed >= message.frame(offer.form).size();
}

bool SendQueue::enters_without(std::size_t index, const Offer& offer, const QueueLimits& limits) const {
    const std::uint64_t bytes = at(index).held->message->frame(offer.form).size();
    return enters(offer, limits, count_ - 1, bytes_ - bytes, bytes);
}

bool SendQueue::enters_without_all(const Offer& offer, const QueueLimits& limits) const {
    std::size_t count = 0;
    std::uint64_t bytes = 0;
    for (std::size_t i = fixed_prefix(); i < count_; ++i) {
        const QueueEntry& other = at(i);
        if (!other.is_delivery() || other.held->message->priority > offer.entry.held->message->priority) continue;
        ++count;
        bytes += other.held->message->frame(offer.form).size();
    }
    return count != 0 && enters(offer, limits, count_ - count, bytes_ - bytes, bytes);
}

void SendQueue::make_room() {
    if (count_ != ring_.size()) return;
    std::vector<QueueEntry> larger(ring_.empty() ? kSmallRing : ring_.size() * 2);
    for (std::size_t i = 0; i < count_; ++i) larger[i] = at(i);
    ring_.swap(larger);
    head_ = 0;
    if (!tags_.empty()) {
        tags_.clear();
        keep_tags();
    }
}

void SendQueue::keep_tags() {
    if (!tags_.empty()) return;
    tags_.resize(ring_.size());
    for (std::size_t i = 0; i < count_; ++i) tags_[(head_ + i) & mask()] = tag_of(at(i));
}

void SendQueue::put(std::size_t index, const QueueEntry& entry) {
    ring_[(head_ + index) & mask()] = entry;
    if (!tags_.empty()) tags_[(head_ + index) & mask()] = tag_of(entry);
}

void SendQueue::append(const QueueEntry& entry, WireForm form) {
    make_room();
    form_ = form;
    put(count_, entry);
    ++count_;
    count_in(entry, entry.held->message->frame(form).size());
}

void SendQueue::push_partial(const QueueEntry& entry, WireForm form, std::size_t taken) {
    SPILLWAY_ASSERT(head_taken_ == 0 && in_flight_ == 0 && taken < entry.held->message->frame(form).size());
    make_room();
    form_ = form;
    head_ = (head_ - 1) & mask();
    put(0, entry);
    ++count_;
    head_taken_ = taken;
    count_in(entry, entry.held->message->frame(form).size() - taken);
}

void SendQueue::insert(std::size_t index, const QueueEntry& entry, WireForm form) {
    SPILLWAY_ASSERT(in_flight_ == 0 && index <= count_ && (index != 0 || head_taken_ == 0));
    make_room();
    form_ = form;
    head_ = (head_ - 1) & mask();  // in front, where it is wanted, there are few to be moved
    for (std::size_t i = 0; i < index; ++i) move_entry(i, i + 1);
    put(index, entry);
    ++count_;
    count_in(entry, entry.held->message->frame(form).size());
}

void SendQueue::pop_front(const QueueEntry& entry, std::uint64_t bytes) {
    count_out(entry, bytes);
    head_taken_ = 0;
    head_ = (head_ + 1) & mask();
    --count_;
    if (in_flight_ != 0) --in_flight_;
}

QueueEntry SendQueue::take_out(std::size_t index, WireForm form) {
    SPILLWAY_ASSERT(index >= fixed_prefix() && index < count_);
    const QueueEntry entry = at(index);
    count_out(entry, entry.held->message->frame(form).size());
    if (index < count_ / 2) {  // the gap is closed from its nearer end
        for (std::size_t i = index; i > 0; --i) move_entry(i, i - 1);
        head_ = (head_ + 1) & mask();
    } else {
        for (std::size_t i = index; i + 1 < count_; ++i) move_entry(i, i + 1);
    }
    --count_;
    return entry;
}

std::size_t SendQueue::find_same_event(const QueueEntry& entry) const {
    if (entry.channel.is_none() || entry.held->message->event_hash == 0 || ring_.empty()) return kNone;
    const std::uint32_t tag = tag_of(entry);
    const auto tags = std::span(tags_);
    // The ring's entries are one run of words, or two where it wraps.
    const std::size_t first_run = std::min(count_, ring_.size() - head_);
    for (std::size_t i = fixed_prefix(); i < count_; ++i) {
        if (i < first_run) i = find_tag(tags.subspan(head_, first_run), i, tag);
        if (i >= first_run) i = first_run + find_tag(tags.first(count_ - first_run), i - first_run, tag);
        if (i == count_) break;
        const QueueEntry& other = at(i);
        const Message& message = *other.held->message;
        if (other.channel == entry.channel && message.event_hash == entry.held->message->event_hash &&
            message.priority <= entry.held->message->priority)
            return i;
    }
    return kNone;
}

std::size_t SendQueue::find_oldest_of_lowest(Priority at_most) const {
    for (std::size_t p = 0; p <= static_cast<std::size_t>(at_most); ++p) {
        if (droppable_[p] == 0) continue;
        for (std::size_t i = fixed_prefix(); i < count_; ++i) {
            const QueueEntry& other = at(i);
            if (other.is_delivery() && other.held->message->priority == static_cast<Priority>(p)) return i;
        }
    }
    return kNone;
}

void SendQueue::shrink() {
    SPILLWAY_ASSERT(count_ == 0);
    head_ = 0;
    if (ring_.size() > kKeptRing) std::vector<QueueEntry>().swap(ring_);
    std::vector<std::uint32_t>().swap(tags_);  // the next client may be one of another policy
}

void SendQueue::check_invariants(WireForm form) const {
    std::uint64_t bytes = 0;
    std::array<std::uint32_t, kPriorities> droppable{};
    for (std::size_t i = 0; i < count_; ++i) {
        bytes += at(i).held->message->frame(form).size();
        if (at(i).is_delivery()) ++droppable[static_cast<std::size_t>(at(i).held->message->priority)];
    }
    SPILLWAY_ASSERT(bytes == bytes_ + head_taken_);
    SPILLWAY_ASSERT(droppable == droppable_);
    for (std::size_t i = 0; i < count_ && !tags_.empty(); ++i)
        SPILLWAY_ASSERT(tags_[(head_ + i) & mask()] == tag_of(at(i)));
    SPILLWAY_ASSERT(in_flight_ <= count_);
    if (count_ == 0) SPILLWAY_ASSERT(head_taken_ == 0);
}

}  // namespace spillway::pubsub
