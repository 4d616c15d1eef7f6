// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// A whole server in one thread: the real cores over fake rings on a fake network and a fake clock, with people outside.
// A seed draws the circumstances and then every step: which core turns, who says or reads what, how time passes, what
// goes wrong. After each step the world is checked: the conservation law, the invariants of every part, the bounds. What
// people receive is checked when they read it.
//
// Directed tests use the same world and play the steps themselves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <spillway/config.h>

#include "fake_clock.h"
#include "fake_network.h"
#include "fake_random.h"
#include "fake_ring.h"
#include "seeded.h"
#include "server/core.h"
#include "server/home.h"
#include "server/mesh.h"
#include "server/notice_rings.h"
#include "server/ops.h"
#include "server/quotas.h"
#include "server/snapshot.h"
#include "server/stats.h"
#include "sim_ledger.h"
#include "sim_people.h"

namespace spillway::test {

struct SimOptions {
    std::uint64_t seed = 1;
    std::size_t cores = 1;
    std::size_t mesh_capacity = 64;
    std::size_t send_batch = kSendBatch;
    std::size_t pass_step = kSendBatch;
    std::size_t short_bytes = server::Intake::kShortBytes;
    FakeRingSizes ring;
    FakeFaults faults;
    base::Duration per_reading{0};
    Config config;                       // without apps
    std::string_view mode = "directed";  // in words, for the summary
    // For the swarm.
    std::size_t steps = 6000;
    std::size_t pipeline = 3;  // requests a publisher has under way at most
    std::size_t burst = 1;     // people act up to so many times in one step
    std::size_t channels = 3;
    std::size_t clients = 8;
    std::size_t publishers = 2;
    std::size_t channels_per_publication = 3;
    std::size_t padding_max = 60;
    std::size_t window = 64 * 1024;
    unsigned churn = 0;                  // per mille of client actions that end the client
    unsigned slow = 0;                   // per mille of clients that read in small pieces or stop
    unsigned rude = 0;                   // per mille of clients that misbehave
    unsigned hasty = 0;                  // per mille of subscriptions that are left before they are confirmed
    unsigned stalls = 0;                 // per mille of steps at which a core stops for some steps
    unsigned pauses = 0;                 // per mille of fates by which a core stops for seconds
    unsigned cuts = 0;                   // per mille of fates by which the network cuts somebody off
    unsigned leaps = 0;                  // per mille of steps at which time leaps
    bool hours = false;                  // some of them by an hour, in which keys are forgotten: nobody uses any
    unsigned reloads = 0;                // per mille of steps at which settings are handed out anew
    std::size_t members_max = 100;       // of a presence channel
    bool calm = false;                   // nothing goes wrong, nothing may be lost
    std::size_t clients_max = 1U << 12;  // slots per core
    std::size_t zero_copy_from = kZeroCopyBytes;
    std::size_t strike_at = 0;  // the step at which somebody goes, whatever he is doing; 0 = nobody
    enum class Way : std::uint8_t { close_frame, fin, rst, network };
    Way strike = Way::rst;
    std::size_t planted_at = 0;  // the step at which the harness itself fails; 0 = none
    bool planted_abort = false;  // not with a broken promise, but with the end of the process
    enum class End : std::uint8_t { in_order, drained, abrupt, forced };
    End ending = End::in_order;  // people go; they are sent away; the same in the midst of it all; and at once
};

/// The circumstances of a seed: each fault and each limit drawn anew, a third of the faults off.
[[nodiscard]] SimOptions draw_circumstances(std::uint64_t seed);

class SimWorld final : public server::HomeWitness, public server::StatsWitness {
public:
    explicit SimWorld(const SimOptions& options);
    ~SimWorld();

    // The server.

    [[nodiscard]] server::Core& core(std::size_t i) { return *nodes_[i]->core; }
    [[nodiscard]] FakeRing& ring(std::size_t i) { return *nodes_[i]->ring; }
    [[nodiscard]] server::Stats& stats(std::size_t i) { return nodes_[i]->stats; }
    [[nodiscard]] std::size_t cores() const { return nodes_.size(); }
    /// One turn of a core and what its thread does around it, if it would not sleep.
    void turn(std::size_t core);
    /// The core that gives a channel its order.
    [[nodiscard]] std::size_t home_of(std::string_view channel) const;
    /// A name with that home, different for each n.
    [[nodiscard]] std::string channel_at(std::size_t core, std::size_t n = 0,
                                         std::string_view prefix = "channel-") const;
    void signal(server::Signal::What what);
    [[nodiscard]] std::size_t drained();
    /// The settings that were handed out last.
    [[nodiscard]] const server::Snapshot& settings() const { return *settings_; }
    /// These settings with the app that people use.
    [[nodiscard]] static Config with_app(Config config, std::size_t members_max = 100);
    /// Hands the cores new settings (with the apps in them), as the control thread does.
    void reload(Config wanted);
    /// All cores have answered; the settings before are freed then.
    [[nodiscard]] bool reloaded();
    /// The server's side of a person's connection; nullptr when it is over.
    [[nodiscard]] server::Client* find(const FakeConnection& connection);
    [[nodiscard]] std::uint64_t dropped(DropReason reason);
    template <class F>
    [[nodiscard]] std::uint64_t sum(F&& figure) {
        std::uint64_t total = 0;
        for (auto& node : nodes_) total += figure(node->stats);
        return total;
    }

    // The people.

    SimClient& connect(std::size_t core, SimClient::Kind kind = SimClient::Kind::pusher,
                       const std::string& feed_channel = {}, std::size_t window = 0, bool asks_gaps = false);
    /// Somebody who understands nothing: the caller writes and reads bytes. It must be gone before settle().
    [[nodiscard]] std::shared_ptr<FakeConnection> connect_raw(std::size_t core) {
        auto connection = network.connect(nodes_[core]->listener, options_.window);
        tap(*connection);
        return connection;
    }
    SimPublisher& connect_publisher(std::size_t core, SimPublisher::Mode mode = SimPublisher::Mode::requests);
    /// Everybody writes and reads all there is, and all cores turn, until nothing moves any more.
    void settle();
    /// The same with this client's reading left out.
    void settle_but(const SimClient& sleeper);

    /// Connects, and subscribes to these channels, until it is confirmed.
    SimClient& subscriber(std::size_t core, const std::vector<std::string>& channels, std::size_t window = 0);

    // The swarm.

    /// Plays the seed to its end: the steps, then quiet and what must hold in it, then the end of everything.
    void play();
    void step();

    /// What must hold between any two steps.
    void check();
    /// What must hold when nothing moves any more and everybody reads.
    void check_rest();
    /// Ends everything and checks that nothing is left.
    void end();

    /// A server that broke a promise is in no state to be taken down in order: it is left where it is.
    void abandon() {
        for (auto& node : nodes_) static_cast<void>(node.release());
        nodes_.clear();
    }

    [[nodiscard]] std::uint64_t trace() const { return trace_; }
    /// What happened, in figures.
    [[nodiscard]] std::string summary();
    [[nodiscard]] std::uint64_t steps() const { return steps_; }
    /// Of all rings.
    [[nodiscard]] std::uint64_t completions() const;

    FakeClock clock;
    FakeNetwork network;
    SimScene scene;

    // The witness of the homes.
    void joined(CoreId from, LocalChannelId local, std::uint64_t client) override;
    void left(CoreId from, std::string_view channel) override {
        const AsideWork aside;
        ledger_.left(channel, from);
    }
    void sent(std::string_view channel, const pubsub::Message& message, CoreId to, std::uint32_t expected) override {
        const AsideWork aside;
        ledger_.sent(channel, message, to, expected);
    }
    void sequenced(std::string_view channel, std::string_view data) override {
        const AsideWork aside;
        scene.model.sequenced(channel, data);
        ledger_.sequenced(channel, SimModel::number_in(data));
    }
    void kept(std::string_view channel, std::string_view data) override {
        const AsideWork aside;
        scene.model.kept(channel, data);
    }
    void member(std::string_view channel, std::string_view id, bool is_there) override {
        const AsideWork aside;
        scene.model.member(channel, id, is_there);
    }

    // The witness of what is counted.
    void dropped(const pubsub::Message& message, DropReason reason, std::uint64_t n, std::uint64_t client) override;
    void excluded(const pubsub::Message& message) override {
        const AsideWork aside;
        ledger_.excluded(message);
    }

private:
    struct Node {
        server::Stats stats;
        std::unique_ptr<FakeRing> ring;
        std::unique_ptr<FakeRandom> random;
        std::unique_ptr<server::Core> core;
        int listener = -1;
        bool asleep = false;
        base::Instant wakes{};
        std::uint64_t stalled_until = 0;  // step
        base::Instant paused_until{};
    };

    void hear_cores();
    void note(std::uint64_t what) { trace_ = (trace_ ^ what) * 0x100000001B3ULL; }
    void step_client(SimClient& client);
    void speak(SimClient& client);
    void misbehave(SimClient& client);
    void step_publisher(SimPublisher& publisher);
    void step_time();
    void step_fate();
    void strike();
    [[nodiscard]] FakeConnection& anybody();
    [[nodiscard]] bool is_standing_still(const Node& node) const {
        return node.stalled_until > steps_ || node.paused_until > clock.peek();
    }
    void reload_something();
    void replace_departed();
    void spawn_client();
    void spawn_publisher();
    [[nodiscard]] std::string any_channel();
    [[nodiscard]] std::string padding();
    [[nodiscard]] SimPublisher::Event any_event(std::size_t channels_max);
    void observe_leaves();
    void everybody_acts(const SimClient* sleeper);
    [[nodiscard]] std::string describe(const FakeConnection& connection);
    [[nodiscard]] std::string unrest(const SimClient* sleeper);
    void settle_until_quiet(const SimClient* sleeper);
    void check_sleepers();
    void check_bounds();
    void check_operations();
    void check_books();
    void check_ledger();
    void check_thresholds(const server::Client& client);
    void check_notices();
    void check_occupancy();
    void check_members();
    void check_counts();
    [[nodiscard]] std::map<std::string, std::size_t> users_in(const std::string& channel);
    /// Somebody has connected and is not accepted yet; perhaps he has gone since.
    [[nodiscard]] bool anybody_waits() const;
    void check_service();
    void check_channels(SimPublisher& publisher);
    void check_nothing_left();
    void send_everybody_off();
    [[nodiscard]] std::uint64_t queued(server::Core& core);
    [[nodiscard]] std::uint64_t owed(server::Core& core);
    void tap(FakeConnection& connection);
    [[nodiscard]] std::size_t whole_on_the_wire(const server::Client& client) const;

    SimOptions options_;
    Seeded dice_;
    std::shared_ptr<const server::Snapshot> settings_;
    std::vector<std::shared_ptr<const server::Snapshot>> settings_before_;  // until all cores have left them
    std::size_t switching_ = 0;
    server::Quotas quotas_;
    server::Mesh mesh_;
    server::NoticeRings notices_;
    std::set<std::string> occupied_;                         // as the notices say
    std::set<std::pair<std::string, std::string>> members_;  // the same, of presence channels
    server::Ops ops_;
    std::vector<std::unique_ptr<Node>> nodes_;
    server::MeshPort control_;
    int ops_listener_ = -1;
    std::vector<std::string> channels_;
    std::vector<std::unique_ptr<SimClient>> clients_;  // present ones
    std::vector<std::unique_ptr<SimPublisher>> publishers_;
    std::map<const FakeConnection*, SimClient*> by_connection_;
    SimLedger ledger_;
    bool limits_moved_ = false;  // of queues, by new settings: what is in them may have come in under others
    std::uint64_t next_id_ = 1;
    std::uint64_t steps_ = 0;
    std::uint64_t trace_ = 0xCBF29CE484222325ULL;
    std::size_t drained_ = 0;
};

}  // namespace spillway::test
