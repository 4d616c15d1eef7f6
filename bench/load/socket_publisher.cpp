// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Over WebSocket: Spillway's publisher endpoint, which takes events for any channel and is silent unless it refuses one;
// or another server's, one connection per channel, which takes the data itself.

#include <algorithm>
#include <string_view>
#include <vector>

#include "publisher.h"
#include "websocket.h"
#include "wire.h"

namespace spillway::load {
namespace {

class SocketPublisher final : public Publisher {
public:
    SocketPublisher(const Options& options, Stream stream)
        : options_(options), first_(first_channel(options, stream)), end_(end_channel(options, stream)) {
        if (options.publish == Publish::ws) {
            const std::string path = "/apps/" + options.app_id + "/publish";
            wires_.emplace_back(options).upgrade(options, signed_target(options, "GET", path, {}));
            return;
        }
        for (std::uint32_t channel = first_; channel < end_; ++channel)
            wires_.emplace_back(options).upgrade(options, path_for(options.publish_path, channel));
    }

    [[nodiscard]] std::string prepare(std::uint32_t round) const override {
        const std::string data = data_of(round, options_.size);
        if (options_.publish == Publish::socket) return client_frame(Opcode::text, data);
        std::string frames;
        const std::uint32_t step = channels_per_event(options_);
        for (std::uint32_t channel = first_; channel < end_; channel += step)
            frames += client_frame(Opcode::text, event_body(channel, std::min(channel + step, end_), data));
        return frames;
    }

    void send(const std::string& prepared) override {
        for (Wire& wire : wires_) wire.send(prepared);
    }

    bool settle(std::uint32_t /*most*/, std::int64_t /*until_ns*/) override {
        for (Wire& wire : wires_) {
            wire.receive();
            take_frames(wire);
        }
        return true;
    }

private:
    void take_frames(Wire& wire) {
        std::string_view rest = wire.input();
        bool broken = false;
        while (const auto frame = take_frame(rest, broken)) {
            if (frame->opcode == Opcode::ping) wire.send(client_frame(Opcode::pong, frame->payload));
            // A peer may treat a publisher as a subscriber; what it hears then is its own.
            if (frame->opcode == Opcode::text && frame->payload.starts_with(R"({"error")"))
                refuse(std::string(frame->payload));
        }
        wire.input().erase(0, wire.input().size() - rest.size());
    }

    const Options& options_;
    const std::uint32_t first_;
    const std::uint32_t end_;
    std::vector<Wire> wires_;
};

}  // namespace

std::unique_ptr<Publisher> connect_socket_publisher(const Options& options, Stream stream) {
    return std::make_unique<SocketPublisher>(options, stream);
}

}  // namespace spillway::load
