// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// HTTP/1.1 by hand over one kept-alive connection, pipelined when the schedule is ahead of the answers: Pusher's API, or a
// plain POST of the data to a path that names the channel.

#include <algorithm>
#include <charconv>
#include <string_view>

#include "publisher.h"
#include "wire.h"

namespace spillway::load {
namespace {

/// Bytes of the body that this head announces.
std::size_t content_length(std::string_view head) {
    constexpr std::string_view kName = "content-length:";
    const auto same = [](char a, char b) { return (a | 0x20) == (b | 0x20); };
    const auto at = std::search(head.begin(), head.end(), kName.begin(), kName.end(), same);
    if (at == head.end()) return 0;
    std::string_view value = head.substr(static_cast<std::size_t>(at - head.begin()) + kName.size());
    value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
    std::size_t length = 0;
    std::from_chars(value.data(), value.data() + value.size(), length);
    return length;
}

class HttpPublisher final : public Publisher {
public:
    HttpPublisher(const Options& options, Stream stream)
        : options_(options),
          wire_(options),
          first_(first_channel(options, stream)),
          end_(end_channel(options, stream)),
          step_(options.publish == Publish::post ? 1 : channels_per_event(options)),
          requests_per_broadcast_((end_ - first_ + step_ - 1) / step_) {}

    [[nodiscard]] std::string prepare(std::uint32_t round) const override {
        std::string requests;
        const std::string data = data_of(round, options_.size);
        for (std::uint32_t channel = first_; channel < end_; channel += step_) {
            if (options_.publish == Publish::post) requests += request(path_for(options_.publish_path, channel), data);
            else requests += event(event_body(channel, std::min(channel + step_, end_), data));
        }
        return requests;
    }

    void send(const std::string& prepared) override {
        outstanding_ += requests_per_broadcast_;
        wire_.send(prepared);
    }

    bool settle(std::uint32_t most, std::int64_t until_ns) override {
        for (;;) {
            wire_.receive();
            take_answers();
            if (outstanding_ <= most) return true;
            if (!wire_.wait(until_ns)) return false;
        }
    }

private:
    [[nodiscard]] std::string event(const std::string& body) const {
        return request(signed_target(options_, "POST", "/apps/" + options_.app_id + "/events", body), body);
    }

    [[nodiscard]] std::string request(const std::string& target, const std::string& body) const {
        return "POST " + target + " HTTP/1.1\r\nHost: " + options_.host +
               "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
               body;
    }

    void take_answers() {
        std::string_view rest = wire_.input();
        for (;;) {
            const std::size_t end = rest.find("\r\n\r\n");
            if (end == rest.npos) break;
            const std::string_view head = rest.substr(0, end);
            const std::size_t whole = end + 4 + content_length(head);
            if (rest.size() < whole) break;
            if (!head.starts_with("HTTP/1.1 20"))
                refuse(std::string(head.substr(0, head.find('\r'))) + " " +
                       std::string(rest.substr(end + 4, whole - end - 4)));
            --outstanding_;
            rest.remove_prefix(whole);
        }
        wire_.input().erase(0, wire_.input().size() - rest.size());
    }

    const Options& options_;
    Wire wire_;
    const std::uint32_t first_;
    const std::uint32_t end_;
    const std::uint32_t step_;
    const std::uint32_t requests_per_broadcast_;
    std::uint32_t outstanding_ = 0;
};

}  // namespace

std::unique_ptr<Publisher> connect_http_publisher(const Options& options, Stream stream) {
    return std::make_unique<HttpPublisher>(options, stream);
}

}  // namespace spillway::load
