// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// One process, which sleeps in poll(2) for the delivery as it does for the echo: the difference is the server's.

#include <poll.h>

#include <cstdio>
#include <string>
#include <string_view>

#include "board.h"
#include "fleet.h"
#include "loops.h"
#include "publisher.h"
#include "scenario.h"
#include "websocket.h"
#include "wire.h"

namespace spillway::load {
namespace {

constexpr std::uint32_t kSubscriber = 0;
constexpr timespec kSilence{0, 2'000'000};  // before each message: the server sleeps

/// Until a text frame has arrived; answers pings. False: none came.
bool hear(Wire& wire, std::int64_t until_ns) {
    for (;;) {
        std::string_view rest = wire.input();
        bool broken = false;
        bool heard = false;
        while (const auto frame = take_frame(rest, broken)) {
            if (frame->opcode == Opcode::ping) wire.send(client_frame(Opcode::pong, frame->payload));
            heard = heard || frame->opcode == Opcode::text;
        }
        wire.input().erase(0, wire.input().size() - rest.size());
        if (heard) return true;
        if (!wire.wait(until_ns)) return false;
        wire.receive();
    }
}

}  // namespace

std::optional<LoneOutcome> play_lone(const Options& options) {
    LoneOutcome outcome;
    pin(options, 0);
    Wire subscriber(options);
    subscriber.upgrade(options, subscriber_path(options, kSubscriber));
    const auto publisher = connect_publisher(options, kMain);
    std::optional<Wire> echo;
    if (!options.echo_path.empty()) echo.emplace(options).upgrade(options, options.echo_path);
    const std::string question = client_frame(Opcode::text, data_of(0, options.size));
    for (std::uint32_t n = 0; n < options.warmup + options.messages; ++n) {
        const std::string prepared = publisher->prepare(n);
        ppoll(nullptr, 0, &kSilence, nullptr);
        const std::int64_t published = now_ns();
        publisher->send(prepared);
        const bool heard = hear(subscriber, published + kPatience);
        const std::int64_t delivered = now_ns();
        publisher->settle(0, delivered + kPatience);
        if (!heard || publisher->refused() != 0) {
            std::fprintf(stderr, "spillway-load: a lone message was not delivered %s\n", publisher->refusal().c_str());
            return std::nullopt;
        }
        if (n >= options.warmup) outcome.delivery_us.push_back(static_cast<double>(delivered - published) / 1e3);
        if (!echo) continue;
        ppoll(nullptr, 0, &kSilence, nullptr);
        const std::int64_t asked = now_ns();
        echo->send(question);
        if (!hear(*echo, asked + kPatience)) return std::nullopt;
        const std::int64_t answered = now_ns();
        if (n >= options.warmup) outcome.echo_us.push_back(static_cast<double>(answered - asked) / 1e3);
    }
    return outcome;
}

}  // namespace spillway::load
