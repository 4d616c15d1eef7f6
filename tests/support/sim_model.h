// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What ought to be: every publication with its fate, and every channel with the one order its home gave it. Clients
// are measured by it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <spillway/errors.h>

namespace spillway::test {

/// One event on its way to its channels. Its data begins with "n=<number>;", which finds it again in whatever arrives.
struct Publication {
    enum class Fate : std::uint8_t { open, acknowledged, refused, lost };
    std::uint64_t number = 0;
    std::uint64_t source = 0;    // the connection that sends it: its publications keep their order
    std::uint64_t excluded = 0;  // the client that must not get it; 0 = none
    std::vector<std::string> channels;
    std::string data;  // the text that receivers get
    Priority priority = Priority::normal;
    Fate fate = Fate::open;
    std::size_t sequenced = 0;  // channels that have it in their order
};

class SimModel {
public:
    /// A new publication; `padding` lengthens its data.
    Publication& create(std::uint64_t source, std::vector<std::string> channels, std::string_view padding);
    [[nodiscard]] Publication& at(std::uint64_t number) { return publications_.at(number - 1); }

    /// A home gave it a place: once per channel, of those it was for, in the order of its source.
    void sequenced(std::string_view channel, std::string_view data);
    void acknowledged(std::uint64_t number);
    void refused(std::uint64_t number);

    [[nodiscard]] const std::vector<std::uint64_t>& order(const std::string& channel) {
        return channels_[channel].order;
    }
    /// The channel's last event is this one from now on.
    void kept(std::string_view channel, std::string_view data) {
        channels_[std::string(channel)].kept = number_in(data);
    }
    /// The publication that a cache channel keeps; 0 = none.
    [[nodiscard]] std::uint64_t kept(const std::string& channel) { return channels_[channel].kept; }
    /// A user came or went in a presence channel: by turns.
    void member(std::string_view channel, std::string_view id, bool is_there);
    [[nodiscard]] const std::set<std::string>& members(const std::string& channel) {
        return channels_[channel].members;
    }

    /// Place of a publication in a channel's order.
    [[nodiscard]] std::size_t place(const std::string& channel, std::uint64_t number) const;
    /// The number in "n=<number>;...".
    [[nodiscard]] static std::uint64_t number_in(std::string_view data);
    [[nodiscard]] std::size_t size() const { return publications_.size(); }

private:
    struct Channel {
        std::vector<std::uint64_t> order;
        std::unordered_map<std::uint64_t, std::size_t> places;
        std::unordered_map<std::uint64_t, std::uint64_t> last_of_source;
        std::uint64_t kept = 0;
        std::set<std::string> members;
    };
    std::vector<Publication> publications_;
    std::map<std::string, Channel> channels_;
};

/// One client in one channel, over all its joins.
class SimSubscription {
public:
    enum class State : std::uint8_t { out, asked, in, leaving };
    State state = State::out;

    /// The home placed a join of this client before place `at`, when `kept` was the last event of the channel.
    void joined(std::size_t at, std::uint64_t kept) { joins_.push_back({at, kNone, kept}); }
    /// `caches`: the channel's last event, or that there is none, must come next.
    void confirmed(bool caches);
    /// The home did not take the join: it stands for nothing.
    void refused() {
        state = State::out;
        hasty = true;
    }
    /// Its latest join found an event that was kept.
    [[nodiscard]] bool found_kept() const { return !joins_.empty() && joins_.back().kept != 0; }
    /// It did come: 0 = that there is none.
    void received_kept(std::uint64_t number);
    [[nodiscard]] bool expects_kept() const { return expects_kept_; }
    /// What it was told of members and subscribers.
    void told_members(std::set<std::string> ids) { members_ = std::move(ids); }
    void told_member(const std::string& id, bool is_there);
    void told_count(std::uint64_t count) { count_ = count; }
    [[nodiscard]] const std::set<std::string>& members() const { return members_; }
    [[nodiscard]] std::optional<std::uint64_t> count() const { return count_; }
    /// The server was seen not to have the client in the channel any more, when the order was `size` long.
    void seen_out(std::size_t size);
    /// The server counted a publication as lost to the client: it must be missing, and nothing else may be.
    void lost(std::uint64_t number) { lost_.insert(number); }
    /// A message arrived. Returns how many that it should have got before are missing.
    [[nodiscard]] std::size_t received(SimModel& model, const std::string& channel, std::uint64_t client,
                                       std::uint64_t number);
    /// At rest: how many are missing behind the last that arrived, of a client that stayed.
    [[nodiscard]] std::size_t missing_at_end(SimModel& model, const std::string& channel, std::uint64_t client) const;
    [[nodiscard]] std::size_t confirmations() const { return confirmations_; }
    /// It left before it was confirmed at least once: some joins may have been answered by silence.
    bool hasty = false;
    /// Asks to leave: a last event that has not come yet may not come any more.
    void leaves() { left_before_kept_ = expects_kept_; }
    std::size_t deliveries = 0;
    std::size_t told = 0;       // messages that the server said it lost, since the last that arrived
    bool told_exactly = false;  // is it in the channel, and was that confirmed?
    std::size_t asked = 0;      // subscribes sent
    /// Every join that was asked for has been placed by the home.
    [[nodiscard]] bool placed() const { return joins_.size() == asked; }

private:
    static constexpr std::size_t kNone = ~std::size_t{0};
    struct Stay {
        std::size_t from = 0;
        std::size_t until = kNone;
        std::uint64_t kept = 0;
    };
    [[nodiscard]] std::size_t gaps(SimModel& model, const std::string& channel, std::uint64_t client, std::size_t from,
                                   std::size_t to) const;

    std::vector<Stay> joins_;
    std::size_t confirmations_ = 0;
    std::size_t next_ = 0;  // the earliest place that may still arrive
    bool expects_kept_ = false;
    bool left_before_kept_ = false;
    std::set<std::uint64_t> lost_;  // publications
    std::set<std::string> members_;
    std::optional<std::uint64_t> count_;
};

}  // namespace spillway::test
