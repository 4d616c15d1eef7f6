// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The publish path end to end over the fake ring, led by bytes: they say who connects, what strangers send in which pieces,
// when cores turn, what the ring gets wrong and how time goes, while people who behave subscribe and publish. Every few
// steps the world is checked as in the simulation; in the end the strangers go, everything comes to rest, and nothing may be left.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim_world.h"

using namespace spillway;
using namespace spillway::test;
using std::chrono::microseconds;
using std::chrono::milliseconds;

namespace {

constexpr std::size_t kStrangersMax = 6;
constexpr std::size_t kPeopleMax = 6;
constexpr std::size_t kStepsMax = 1500;

/// The input, a byte at a time; zeros behind its end.
class Script {
public:
    explicit Script(std::string_view text) : text_(text) {}
    [[nodiscard]] bool over() const { return text_.empty(); }
    std::size_t byte() {
        if (text_.empty()) return 0;
        const auto value = static_cast<unsigned char>(text_.front());
        text_.remove_prefix(1);
        return value;
    }
    std::string_view bytes(std::size_t n) {
        const std::string_view taken = text_.substr(0, n);
        text_.remove_prefix(taken.size());
        return taken;
    }

private:
    std::string_view text_;
};

constexpr std::array<std::string_view, 4> kChannels = {"room-0", "private-1", "presence-2", "cache-3"};
constexpr std::array<std::string_view, 8> kTargets = {"/app/key?protocol=7",
                                                      "/app/key?protocol=7&gaps=1",
                                                      "/feed/room-0?key=key",
                                                      "/feed/cache-3?key=key&gaps=1",
                                                      "/echo",
                                                      "/app/nobody?protocol=7",
                                                      "/apps/app/publish?ack=1",
                                                      "/apps/app/channels"};

SimOptions circumstances(Script& script) {
    SimOptions options;
    const std::size_t shape = script.byte();
    options.seed = 1 + script.byte();
    options.cores = 1 + shape % 3;
    options.mesh_capacity = (shape & 4) != 0 ? 8 : 64;
    options.window = (shape & 8) != 0 ? 1500 : 64 * 1024;
    options.send_batch = (shape & 16) != 0 ? 2 : 64;
    options.ring.buffers = (shape & 32) != 0 ? 4 : 64;
    options.channels = 0;  // ours, below
    options.clients_max = 64;
    options.clients = kStrangersMax + kPeopleMax;
    options.padding_max = 300;
    options.config.queue_messages = (shape & 64) != 0 ? 4 : 64;
    options.config.queue_bytes = (shape & 128) != 0 ? 1024 : 64 * 1024;
    const std::size_t luck = script.byte();
    const auto rate = [luck](unsigned bit) { return (luck >> bit & 1) != 0 ? 200U : 0U; };
    options.faults = {.idle = rate(0),
                      .short_read = rate(1),
                      .recv_ends = rate(2),
                      .no_buffers = rate(3),
                      .short_send = rate(4),
                      .again = rate(5),
                      .shortage = rate(6),
                      .accept_error = rate(7),
                      .accept_ends = rate(7),
                      .delay = rate(0)};
    return options;
}

class Play {
public:
    Play(SimWorld& world, Script& script) : world_(world), script_(script) {}

    void run() {
        for (std::size_t steps = 0; !script_.over() && steps < kStepsMax; ++steps) {
            step();
            if (steps % 4 == 3) world_.check();  // it costs more than a step
        }
        world_.check();
        finish();
    }

private:
    void step() {
        world_.scene.unix_seconds = world_.clock.unix_seconds();
        const std::size_t what = script_.byte();
        switch (what % 16) {
            case 0:
            case 1:
            case 2: turn(); break;
            case 3: pass_time(what / 16); break;
            case 4: connect(what / 16); break;
            case 5: say(script_.bytes(what / 16 + 1)); break;
            case 6: say(script_.bytes(script_.byte())); break;
            case 7: frame(what / 16); break;
            case 8: subscribe(what / 16); break;
            case 9: read(what / 16); break;
            case 10: leave(what / 16); break;
            case 11: person(what / 16); break;
            case 12: act(what / 16); break;
            case 13: publish(what / 16); break;
            case 14: ask(what / 16); break;
            default: hurry(); break;
        }
    }

    void turn() { world_.turn(script_.byte() % world_.cores()); }
    void hurry() {
        for (std::size_t i = 0; i < 4 * world_.cores(); ++i) world_.turn(i % world_.cores());
    }
    void pass_time(std::size_t n) {
        constexpr std::array<base::Duration, 8> kSteps = {
            microseconds(10),   milliseconds(1),      milliseconds(50),     milliseconds(700),
            milliseconds(5100), milliseconds(11'000), milliseconds(31'000), milliseconds(80'000)};
        world_.clock.advance(kSteps[n % kSteps.size()]);
    }

    // Strangers: bytes that nobody vouches for.

    void connect(std::size_t target) {
        if (strangers_.size() == kStrangersMax) {
            strangers_.front()->reset();
            strangers_.erase(strangers_.begin());
        }
        strangers_.push_back(world_.connect_raw(script_.byte() % world_.cores()));
        if (target >= kTargets.size()) return;
        say("GET " + std::string(kTargets[target]) +
            " HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
    }
    FakeConnection* stranger() {
        return strangers_.empty() ? nullptr : strangers_[script_.byte() % strangers_.size()].get();
    }
    void say(std::string_view bytes) {
        if (FakeConnection* one = stranger(); one != nullptr && !one->peer_gone && !one->peer_finished)
            one->send(bytes);
    }
    void frame(std::size_t opcode) {
        const std::size_t n = script_.byte();
        say(client_frame(static_cast<unsigned>(opcode), script_.bytes(n), n % 8 != 7));
    }
    void subscribe(std::size_t n) {
        const std::string channel(kChannels[n % kChannels.size()]);
        say(client_frame(opcode::kText, std::string(R"({"event":"pusher:)") + ((n & 4) != 0 ? "un" : "") +
                                            R"(subscribe","data":{"channel":")" + channel + "\"}}"));
    }
    void read(std::size_t n) {
        if (FakeConnection* one = stranger()) static_cast<void>(one->read(n == 15 ? 1U << 20 : n * n * 8));
    }
    void leave(std::size_t how) {
        FakeConnection* one = stranger();
        if (one == nullptr) return;
        if (how % 3 == 0) one->finish();
        if (how % 3 == 1) one->close();
        if (how % 3 == 2) one->reset();
    }

    // People who behave, and who hold what they get against the model.

    void person(std::size_t n) {
        if (people_.size() == kPeopleMax) return;
        const std::size_t core = n % world_.cores();
        people_.push_back(&world_.connect(core, (n & 4) != 0 ? SimClient::Kind::feed : SimClient::Kind::pusher,
                                          (n & 4) != 0 ? "room-0" : "", 0, (n & 8) != 0));
    }
    void act(std::size_t n) {
        if (people_.empty()) return;
        SimClient& one = *people_[script_.byte() % people_.size()];
        if (one.gone()) return;
        one.write(1 << 20);
        one.read((n & 8) != 0 ? 40 : 1 << 20);
        if (!one.open() || one.kind() != SimClient::Kind::pusher || (n & 4) != 0) return;
        const std::string channel(kChannels[n % kChannels.size()]);
        switch (one.in(channel).state) {
            case SimSubscription::State::out: one.subscribe(channel); break;
            case SimSubscription::State::in:
                if ((n & 8) != 0) one.unsubscribe(channel);
                else if (channel.starts_with('p')) one.client_event(channel, "xx");
                break;
            default: break;
        }
        one.write(1 << 20);
    }
    SimPublisher& publisher() {
        if (publisher_ == nullptr || publisher_->gone()) publisher_ = &world_.connect_publisher(0);
        return *publisher_;
    }
    void publish(std::size_t n) {
        SimPublisher& one = publisher();
        if (one.unanswered() < 4) {
            SimPublisher::Event event;
            for (std::size_t i = 0; i <= n % 3; ++i) event.channels.emplace_back(kChannels[(n + i) % kChannels.size()]);
            event.padding = std::string((n & 4) != 0 ? 250 : 3, 'p');
            event.priority = (n & 8) != 0 ? Priority::urgent : Priority::normal;
            one.publish(event);
        }
        one.write(1 << 20);
        one.read(1 << 20);
    }
    void ask(std::size_t n) {
        SimPublisher& one = publisher();
        if (one.unanswered() < 4) {
            if ((n & 1) != 0) one.ask_channels((n & 2) != 0 ? "" : "p");
            else one.ask_channel(std::string(kChannels[n / 2 % kChannels.size()]));
        }
        one.write(1 << 20);
        one.read(1 << 20);
    }

    void finish() {
        for (const auto& one : strangers_) one->reset();
        for (std::size_t i = 0; i < world_.cores(); ++i) world_.ring(i).faults = {};
        for (const SimClient* one : people_) one->connection().window = 1 << 20;
        world_.settle();
        world_.check_rest();
        world_.end();
    }

    SimWorld& world_;
    Script& script_;
    std::vector<std::shared_ptr<FakeConnection>> strangers_;
    std::vector<SimClient*> people_;
    SimPublisher* publisher_ = nullptr;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Script script(std::string_view(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 4096)));
    SimWorld world(circumstances(script));
    try {
        Play(world, script).run();
    } catch (const SimFailure& failure) {
        std::fprintf(stderr, "the server %s, but not here;%s\n", failure.what(), world.summary().c_str());
        std::abort();
    }
    return 0;
}
