// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// One core: one thread, one ring, its clients and its share of the channels. Core puts the parts together and turns the
// loop; each part is its own file and reaches the others through it. Nothing here is shared with another thread but the
// mesh, the quotas and the statistics, each of which says how.
//
// run() is the whole loop; turn() is one round of it without the sleep, which is all the simulation needs.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include <spillway/config.h>
#include <spillway/ids.h>

#include "base/clock.h"
#include "base/slab.h"
#include "base/timer_wheel.h"
#include "crypto/random.h"
#include "io/ring.h"
#include "pubsub/block_pool.h"
#include "pubsub/local_channels.h"
#include "pubsub/message.h"
#include "server/api_calls.h"
#include "server/app_table.h"
#include "server/census.h"
#include "server/client.h"
#include "server/dashboard.h"
#include "server/doors.h"
#include "server/drain.h"
#include "server/fanout.h"
#include "server/gaps.h"
#include "server/gate.h"
#include "server/health_watch.h"
#include "server/home.h"
#include "server/http_front.h"
#include "server/intake.h"
#include "server/key_office.h"
#include "server/lifecycle.h"
#include "server/membership.h"
#include "server/memory_guard.h"
#include "server/mesh.h"
#include "server/notices.h"
#include "server/ops.h"
#include "server/publisher.h"
#include "server/publisher_front.h"
#include "server/pusher_front.h"
#include "server/quotas.h"
#include "server/review.h"
#include "server/sender.h"
#include "server/snapshot.h"
#include "server/stats.h"
#include "server/users.h"
#include "server/ws_front.h"

namespace spillway::server {

/// What a core is given. References outlive it.
struct CoreSetup {
    CoreId id = 0;
    const Snapshot& settings;  // until the core has taken over the next
    Quotas& quotas;
    Mesh& mesh;
    io::Ring& ring;
    const base::Clock& clock;
    crypto::Random& random;
    Stats& stats;
    const Ops& ops;
    int listener = -1;      // main port; the core closes it when it drains
    int ops_listener = -1;  // metrics port; -1 on all cores but one
    std::size_t clients_max = 1U << 20;
    NoticeRings* notices = nullptr;       // to the background thread, if there is one
    std::size_t send_batch = kSendBatch;  // 1 to kSendBatch; the simulation takes a small one, so that slices end early
    int unix_listener = -1;               // like the main port; -1 = none
    std::size_t pass_step = kSendBatch;   // subscribers between boardings (LocalChannels); small in the simulation
    std::vector<int> more_listeners{};    // of the main port: a predecessor's, which had more cores
    bool listener_kept = false;           // somebody else keeps it open (Door)
    bool unix_listener_kept = false;
    bool listeners_shared = false;                  // with a predecessor that drains
    std::size_t short_bytes = Intake::kShortBytes;  // at most in short input; small in the simulation
};

class Core {
public:
    /// A turn that begins so long after the one before was held up: a loop with nothing to do turns more often.
    static constexpr std::chrono::milliseconds kStall{1000};

    explicit Core(const CoreSetup& setup);
    ~Core();
    Core(const Core&) = delete;
    Core& operator=(const Core&) = delete;

    /// Takes the ring into use and serves until the control thread says stop. The thread's whole life.
    void run();
    /// Arms the listeners. Called by run(); the simulation calls it itself.
    void begin();
    /// One round of the loop: everything that can be done now. Returns how long the core could sleep (0: not at all).
    [[nodiscard]] base::Duration turn();
    [[nodiscard]] bool stopped() const { return stopped_; }

    /// Asserts what must hold between turns. For tests.
    void check_invariants();

    // Fixed after construction.
    const CoreId id;
    const std::size_t cores;
    const std::size_t send_batch;
    Quotas& quotas;
    io::Ring& ring;
    const base::Clock& clock;
    crypto::Random& random;
    Stats& stats;
    const Ops& ops;

    // The settings in force, its own copy. A reload replaces them between turns: nobody keeps a reference across one.
    Config config;  // without apps
    AppTable apps;

    // This core's state, used by the parts below.
    base::Instant now;  // of this turn; the parts do not ask the clock again but to bound a slice
    MeshPort port;
    pubsub::BlockPool blocks;
    pubsub::Holds holds;
    pubsub::LocalChannels channels;
    base::Slab<Client> clients;
    base::TimerWheel timers;

    // The parts, each a role of the core.
    Intake intake;              // the order in which it looks at what the kernel finished
    Sender sender;              // bytes of clients to the ring
    Fanout fanout;              // broadcasts to local subscribers
    Gaps gaps;                  // what clients missed, for those who ask
    Membership membership;      // clients in channels, local side
    Notices notices;            // what webhooks are made of
    Users users;                // who is signed in as whom, and who watches whom
    Home home;                  // order of the channels that live here
    Census census;              // what the API asks about those channels
    KeyOffice key_office;       // idempotency keys it owns
    Publisher publisher;        // publications on their way to their homes
    Doors doors;                // who is let in
    Lifecycle life;             // from accept to the freed slot
    ApiCalls calls;             // API calls that other cores have a part in
    Gate gate;                  // limits of addresses, before an upgrade
    HttpFront http;             // requests before and without upgrade
    WsFront ws;                 // WebSocket messages in
    PusherFront pusher;         // what Pusher clients say
    PublisherFront publishing;  // what publisher WebSockets say
    Review review;              // clients looked at again after a reload
    HealthWatch health;         // how the server is; of the metrics port's core
    MemoryGuard memory;         // what is let go when memory runs out
    Drain drain;                // the orderly end
    Dashboard dashboard;        // what people look at

    /// The live client of a packed id, or nullptr if that life is over.
    [[nodiscard]] Client* find(std::uint64_t packed) {
        const ClientId client = ClientId::unpack(packed);
        return client.core == id ? clients.find(client.slot, client.generation) : nullptr;
    }

    /// Has the part that a completion is for look at it.
    void dispatch(const io::Completion& completion);

private:
    void expire(bool more_input);
    bool drain_mesh();
    void receive(CoreId from, const Envelope& envelope);
    void take_over(const Snapshot& snapshot);
    void send_returns();
    void note_turn();
    void say_slow();
    void publish_gauges();
    [[nodiscard]] base::Duration may_rest(bool busy);

    base::Instant gauges_due_{};
    base::Instant behind_until_{};
    base::Instant waiting_until_{};
    base::Instant last_turn_{};
    base::Instant patience_until_{};  // after a stall: timeouts wait for the input that piled up
    bool asked_again_ = true;         // no stall lies between this turn and the last time the kernel was asked
    bool heard_ = false;              // the kernel finished something that this turn looked at
    bool watches_health_ = false;
    bool stopped_ = false;
};

}  // namespace spillway::server
