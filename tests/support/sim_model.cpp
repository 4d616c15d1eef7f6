// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "sim_model.h"

#include <algorithm>
#include <charconv>

#include "fake_network.h"

namespace spillway::test {

Publication& SimModel::create(std::uint64_t source, std::vector<std::string> channels, std::string_view padding) {
    Publication& fresh = publications_.emplace_back();
    fresh.number = publications_.size();
    fresh.source = source;
    fresh.channels = std::move(channels);
    fresh.data = "n=" + std::to_string(fresh.number) + ";";
    fresh.data += padding;
    return fresh;
}

std::uint64_t SimModel::number_in(std::string_view data) {
    const std::size_t from = data.find("n=");
    std::uint64_t number = 0;
    sim_check(from != std::string_view::npos, "delivers data as it was published");
    const auto [end, error] = std::from_chars(data.data() + from + 2, data.data() + data.size(), number);
    sim_check(error == std::errc{} && end != data.data() + data.size() && *end == ';',
              "delivers data as it was published");
    return number;
}

void SimModel::sequenced(std::string_view channel, std::string_view data) {
    const std::uint64_t number = number_in(data);
    sim_check(number >= 1 && number <= publications_.size(), "sequences only what was published");
    Publication& publication = at(number);
    const std::string name(channel);
    sim_check(std::ranges::find(publication.channels, name) != publication.channels.end(),
              "sequences a publication only in its channels");
    sim_check(publication.fate != Publication::Fate::refused, "sequences nothing that it refused with 503");
    Channel& order = channels_[name];
    sim_check(order.places.emplace(number, order.order.size()).second, "sequences a publication once per channel");
    order.order.push_back(number);
    std::uint64_t& last = order.last_of_source[publication.source];
    sim_check(last < number, "keeps the order of one source's publications in each channel");
    last = number;
    ++publication.sequenced;
}

void SimModel::member(std::string_view channel, std::string_view id, bool is_there) {
    auto& members = channels_[std::string(channel)].members;
    const bool changed = is_there ? members.emplace(id).second : members.erase(std::string(id)) == 1;
    sim_check(changed, "lets a member come once and go once");
}

void SimModel::acknowledged(std::uint64_t number) {
    Publication& publication = at(number);
    publication.fate = Publication::Fate::acknowledged;
    sim_check(publication.sequenced == publication.channels.size(),
              "answers 200 only when every channel has the event in its order");
}

void SimModel::refused(std::uint64_t number) {
    Publication& publication = at(number);
    publication.fate = Publication::Fate::refused;
    sim_check(publication.sequenced == 0, "publishes nothing of what it answers with 503");
}

std::size_t SimModel::place(const std::string& channel, std::uint64_t number) const {
    const auto found = channels_.find(channel);
    sim_check(found != channels_.end() && found->second.places.contains(number),
              "delivers only what was sequenced in the channel");
    return found->second.places.at(number);
}

// ---- one client in one channel

void SimSubscription::confirmed(bool caches) {
    ++confirmations_;
    sim_check(!expects_kept_ || left_before_kept_ || hasty, "sends the last event before anything else");
    expects_kept_ = caches;
    left_before_kept_ = false;
}

void SimSubscription::received_kept(std::uint64_t number) {
    sim_check(expects_kept_, "sends the last event right behind the confirmation, and once");
    expects_kept_ = false;
    const auto is_it = [number](const Stay& stay) { return stay.kept == number; };
    // Of hasty ones it is not known which join was confirmed.
    const bool right = hasty ? std::ranges::any_of(joins_, is_it)
                             : confirmations_ <= joins_.size() && is_it(joins_[confirmations_ - 1]);
    sim_check(right, "sends a new subscriber the last event before its join");
}

void SimSubscription::told_member(const std::string& id, bool is_there) {
    sim_check(confirmations_ != 0, "tells members who comes and goes, behind the confirmation");
    const bool changed = is_there ? members_.insert(id).second : members_.erase(id) == 1;
    sim_check(changed, "tells of nobody twice: " + id);
}

void SimSubscription::seen_out(std::size_t size) {
    for (Stay& stay : joins_)
        if (stay.until == kNone) stay.until = size;
}

std::size_t SimSubscription::gaps(SimModel& model, const std::string& channel, std::uint64_t client, std::size_t from,
                                  std::size_t to) const {
    const auto& order = model.order(channel);
    std::size_t missing = 0;
    for (std::size_t i = from; i < to; ++i) {
        if (model.at(order[i]).excluded == client) continue;
        sim_check(lost_.contains(order[i]), "loses nothing that it does not count as lost to that client");
        ++missing;
    }
    return missing;
}

std::size_t SimSubscription::received(SimModel& model, const std::string& channel, std::uint64_t client,
                                      std::uint64_t number) {
    ++deliveries;
    const std::size_t place = model.place(channel, number);
    sim_check(model.at(number).excluded != client, "sends nobody what excludes him");
    sim_check(!lost_.contains(number), "delivers nothing that it counted as lost");
    sim_check(place >= next_, "delivers in the channel's order, each message once");
    sim_check(confirmations_ != 0, "sends nothing of a channel before subscription_succeeded");
    std::size_t stay = joins_.size();
    while (stay != 0 && joins_[stay - 1].from > place) --stay;
    sim_check(stay != 0, "sends nothing that was sequenced before the join");
    --stay;
    sim_check(place < joins_[stay].until, "sends nothing that was sequenced after the leave");
    if (!hasty) sim_check(confirmations_ > stay, "confirms a join before its messages");
    const std::size_t missing = gaps(model, channel, client, std::max(joins_[stay].from, next_), place);
    next_ = place + 1;
    return missing;
}

std::size_t SimSubscription::missing_at_end(SimModel& model, const std::string& channel, std::uint64_t client) const {
    if (joins_.empty()) return 0;
    return gaps(model, channel, client, std::max(joins_.back().from, next_), model.order(channel).size());
}

}  // namespace spillway::test
