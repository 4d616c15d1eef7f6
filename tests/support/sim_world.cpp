// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "sim_world.h"

#include <algorithm>
#include <bit>
#include <exception>
#include <variant>

#include "pubsub/channel_key.h"

namespace spillway::test {

using server::Client;
using std::chrono::milliseconds;

namespace {

/// Is a queue of so much over the threshold of this message, by README's table?
bool is_over(std::uint64_t messages, std::uint64_t bytes, const pubsub::Message& message, const Client& client,
             const Config& config) {
    constexpr std::uint64_t kPermille[] = {600, 800, 950, 1000};
    std::uint64_t from = kPermille[static_cast<std::size_t>(message.priority)];
    if (client.high_priority) from += (1000 - from) / 2;
    return messages != 0 &&
           (messages * 1000 >= config.queue_messages * from || bytes * 1000 >= config.queue_bytes * from);
}

constexpr std::string_view kKinds[] = {"room-", "private-", "presence-", "cache-", "presence-cache-", "private-cache-"};

}  // namespace

Config SimWorld::with_app(Config config, std::size_t members_max) {
    AppConfig app;
    app.id = kSimAppId;
    app.key = kSimAppKey;
    app.secret = kSimAppSecret;
    app.client_events = true;
    app.client_events_per_second = 0;
    app.webhook_events = WebhookEvents::all();
    app.subscription_count = true;
    app.max_presence_members = members_max;
    app.cache_ttl = std::chrono::hours{10};
    app.watchlist = true;
    app.high_priority_users = true;
    config.apps = {app};
    config.echo_path = "/echo";
    return config;
}

SimWorld::SimWorld(const SimOptions& options)
    : options_(options),
      dice_(options.seed ^ 0x5EED),
      settings_(server::first_snapshot(with_app(options.config, options.members_max))),
      quotas_(1),
      mesh_(options.cores, options.mesh_capacity),
      notices_(options.cores),
      ops_(settings_->config, quotas_, "simulated"),
      control_(mesh_, mesh_.control()),
      ledger_(options.cores) {
    clock.per_reading = options.per_reading;
    scene.calm = options.calm;
    ops_.set_resident([] { return std::uint64_t{100 * kMiB}; });  // the kernel's figure would be another each time
    for (std::size_t i = 0; i < options.cores; ++i) {
        auto node = std::make_unique<Node>();
        node->ring = std::make_unique<FakeRing>(network, options.ring, dice_.next());
        node->ring->faults = options.faults;
        node->ring->batches = true;
        node->random = std::make_unique<FakeRandom>(dice_.next());
        node->listener = network.listen();
        mesh_.set_sleeper(static_cast<CoreId>(i), node->ring.get());
        ops_.watch(node->stats);
        nodes_.push_back(std::move(node));
    }
    ops_listener_ = network.listen();
    for (std::size_t i = 0; i < options.cores; ++i) {
        Node& node = *nodes_[i];
        node.core = std::make_unique<server::Core>(server::CoreSetup{static_cast<CoreId>(i),
                                                                     *settings_,
                                                                     quotas_,
                                                                     mesh_,
                                                                     *node.ring,
                                                                     clock,
                                                                     *node.random,
                                                                     node.stats,
                                                                     ops_,
                                                                     node.listener,
                                                                     i == 0 ? ops_listener_ : -1,
                                                                     options.clients_max,
                                                                     &notices_,
                                                                     options.send_batch,
                                                                     -1,
                                                                     options.pass_step,
                                                                     {},
                                                                     false,
                                                                     false,
                                                                     false,
                                                                     options.short_bytes});
        node.core->home.set_witness(this);
        node.stats.witness = this;
        node.core->begin();
        node.core->sender.zero_copy().take_from(options.zero_copy_from);
    }
    for (std::size_t i = 0; i < options.channels; ++i)
        channels_.push_back(std::string(kKinds[(i + options.seed) % std::size(kKinds)]) + std::to_string(i));
}

SimWorld::~SimWorld() {
    if (std::uncaught_exceptions() != 0) abandon();
}

// ---- the server

void SimWorld::turn(std::size_t i) {
    Node& node = *nodes_[i];
    if (node.core->stopped()) return;
    if (node.asleep) {
        node.ring->progress();
        if (!node.ring->rouses() && clock.peek() < node.wakes) return;
        node.ring->wait({});
        node.core->port.awake();
        node.asleep = false;
    }
    const base::Duration rest = node.core->turn();
    if (node.core->stopped()) return;
    if (rest == base::Duration::zero() || !node.core->port.may_sleep()) {
        node.ring->wait({});
        return;
    }
    node.ring->submit();  // wait() hands over first, then sleeps
    node.asleep = true;
    node.wakes = clock.peek() + rest;
    note(node.ring->trace());
}

std::size_t SimWorld::home_of(std::string_view channel) const {
    return pubsub::home_core(pubsub::channel_key(0, channel), mesh_.cores());
}

std::string SimWorld::channel_at(std::size_t core, std::size_t n, std::string_view prefix) const {
    for (std::size_t i = 0;; ++i) {
        std::string name = std::string(prefix) + std::to_string(i);
        if (home_of(name) == core && n-- == 0) return name;
    }
}

void SimWorld::signal(server::Signal::What what) {
    for (std::size_t i = 0; i < cores(); ++i) control_.send(static_cast<CoreId>(i), server::Signal{what});
    control_.flush();
}

std::size_t SimWorld::drained() {
    hear_cores();
    return drained_;
}

void SimWorld::reload(Config wanted) {
    auto next = server::succeed(*settings_, std::move(wanted));
    sim_check(next.has_value(), "takes sound settings");
    settings_before_.push_back(std::exchange(settings_, next->snapshot));
    const Config& before = settings_before_.back()->config;
    limits_moved_ = limits_moved_ || settings_->config.queue_messages != before.queue_messages ||
                    settings_->config.queue_bytes != before.queue_bytes ||
                    settings_->config.overflow != before.overflow;
    quotas_.per_app.grow(settings_->apps.size());
    ops_.set_config(settings_->config);
    for (std::size_t i = 0; i < cores(); ++i) control_.send(static_cast<CoreId>(i), server::Reload{settings_.get()});
    control_.flush();
    switching_ += cores();
}

bool SimWorld::reloaded() {
    hear_cores();
    if (switching_ == 0) settings_before_.clear();
    return switching_ == 0;
}

void SimWorld::hear_cores() {
    control_.drain(1024, [this](CoreId, const server::Envelope& envelope) {
        drained_ += std::holds_alternative<server::Signal>(envelope) ? 1 : 0;
        switching_ -= std::holds_alternative<server::Reloaded>(envelope) ? 1 : 0;
    });
    control_.flush();
}

Client* SimWorld::find(const FakeConnection& connection) {
    if (connection.fd < 0) return nullptr;
    Client* found = nullptr;
    for (auto& node : nodes_)
        node->core->clients.for_each([&](std::uint32_t, Client& client) {
            if (client.fd == connection.fd) found = &client;
        });
    return found;
}

std::uint64_t SimWorld::dropped(DropReason reason) {
    return sum([reason](const server::Stats& stats) {
        std::uint64_t total = 0;
        for (const auto& counter : stats.dropped[static_cast<std::size_t>(reason)]) total += counter.value();
        return total;
    });
}

void SimWorld::joined(CoreId from, LocalChannelId local, std::uint64_t packed) {
    const AsideWork aside;
    server::Core& subscribing = core(from);
    const pubsub::LocalChannel* channel = subscribing.channels.get(local);
    sim_check(channel != nullptr, "keeps a channel open while a join is under way");
    ledger_.joined(channel->name, from);
    const std::size_t place = scene.model.order(channel->name).size();
    const std::uint64_t kept = scene.model.kept(channel->name);
    const Client* client = subscribing.find(packed);
    if (client == nullptr) return;
    const FakeConnection* connection = network.connection(client->fd);
    if (connection != nullptr && connection->tap != nullptr)
        static_cast<DeliveryTap&>(*connection->tap).joined(channel->name, kept != 0);
    const auto person = by_connection_.find(connection);
    if (person != by_connection_.end()) person->second->in(channel->name).joined(place, kept);
}

void SimWorld::dropped(const pubsub::Message& message, DropReason reason, std::uint64_t n, std::uint64_t packed) {
    const AsideWork aside;
    if (n == 0) return;
    ledger_.dropped(message, n);
    if (packed == 0) return;
    const Client* client = core(ClientId::unpack(packed).core).find(packed);
    sim_check(client != nullptr, "counts drops of clients that are there");
    if (reason == DropReason::queue_threshold)
        sim_check(is_over(client->out->queue.size(), client->out->queue.bytes(), message, *client, settings_->config),
                  "drops nothing for a threshold that the queue is under");
    const std::uint64_t number = ledger_.publication_of(message);
    if (number == 0 || reason == DropReason::client_closed || reason == DropReason::unsubscribed) return;
    const auto person = by_connection_.find(network.connection(client->fd));
    if (person != by_connection_.end()) person->second->in(ledger_.channel_of(message)).lost(number);
}

/// What the kernel takes for this connection goes into the books.
void SimWorld::tap(FakeConnection& connection) {
    connection.tap = std::make_unique<DeliveryTap>(ledger_, [this, &connection]() -> DeliveryTap::Peer {
        using Kind = DeliveryTap::Peer::Kind;
        Client* client = find(connection);
        sim_check(client != nullptr, "upgrades only who is there");
        if (client->kind == server::ClientKind::pusher) return {Kind::pusher, {}};
        if (client->kind != server::ClientKind::feed) return {Kind::other, {}};
        if (client->subscriptions.size() == 0) return {Kind::feed, {}};  // no more, or never
        server::Core& at = core(ClientId::unpack(client->id).core);
        return {Kind::feed, at.channels.get(client->subscriptions[0].channel)->name};
    });
}

// ---- the people

SimClient& SimWorld::connect(std::size_t core, SimClient::Kind kind, const std::string& feed_channel,
                             std::size_t window, bool asks_gaps) {
    auto connection = network.connect(nodes_[core]->listener, window != 0 ? window : options_.window);
    tap(*connection);
    clients_.push_back(std::make_unique<SimClient>(scene, next_id_++, kind, connection, feed_channel, asks_gaps));
    by_connection_[connection.get()] = clients_.back().get();
    return *clients_.back();
}

SimPublisher& SimWorld::connect_publisher(std::size_t core, SimPublisher::Mode mode) {
    scene.unix_seconds = clock.unix_seconds();
    const int listener = mode == SimPublisher::Mode::figures ? ops_listener_ : nodes_[core]->listener;
    publishers_.push_back(
        std::make_unique<SimPublisher>(scene, next_id_++, network.connect(listener, options_.window), mode));
    return *publishers_.back();
}

SimClient& SimWorld::subscriber(std::size_t core, const std::vector<std::string>& channels, std::size_t window) {
    SimClient& client = connect(core, SimClient::Kind::pusher, {}, window);
    settle();
    sim_check(client.open(), "takes a new client");
    for (const auto& channel : channels) client.subscribe(channel);
    settle();
    for (const auto& channel : channels)
        sim_check(client.in(channel).state == SimSubscription::State::in, "subscribes a new client");
    return client;
}

void SimWorld::everybody_acts(const SimClient* sleeper) {
    scene.unix_seconds = clock.unix_seconds();
    for (auto& client : clients_) {
        client->write(1 << 20);
        if (client.get() != sleeper) client->read(1 << 20);
    }
    for (auto& publisher : publishers_) {
        publisher->write(1 << 20);
        publisher->read(1 << 20);
    }
}

std::string SimWorld::describe(const FakeConnection& connection) {
    std::string text = " (fd " + std::to_string(connection.fd) + ", to server " +
                       std::to_string(connection.inbound.size()) + ", to peer " +
                       std::to_string(connection.outbound.size());
    if (const Client* c = find(connection)) {
        text += ", state " + std::to_string(static_cast<int>(c->state)) + ", kind " +
                std::to_string(static_cast<int>(c->kind));
        const std::pair<const char*, bool> flags[] = {{"dirty", c->dirty},
                                                      {"sending", c->sending},
                                                      {"armed", c->recv_armed},
                                                      {"paused", c->paused},
                                                      {"awaiting", c->awaiting},
                                                      {"out", c->out != nullptr},
                                                      {"cancelling", c->recv_cancelling},
                                                      {"arm due", c->arm_due},
                                                      {"over", c->input_over},
                                                      {"doomed", c->doomed},
                                                      {"held", c->held_input != nullptr},
                                                      {"http", c->http != nullptr}};
        for (const auto& [name, set] : flags)
            if (set) text.append(" ").append(name);
    }
    return text + ")";
}

/// What still moves, in words; empty when nothing does.
std::string SimWorld::unrest(const SimClient* sleeper) {
    for (auto& client : clients_)
        if (client.get() != sleeper && !client->idle()) return "a client's bytes" + describe(client->connection());
    for (auto& publisher : publishers_) {
        if (!publisher->idle()) return "a publisher's bytes" + describe(publisher->connection());
        if (!publisher->gone() && publisher->unanswered() != 0)
            return "a publication without an answer" + describe(publisher->connection());
    }
    if (sum([](const server::Stats& s) { return s.broadcast_sent.value() - s.broadcast_taken.value(); }) != 0)
        return "broadcasts in the mesh";
    for (auto& node : nodes_) {
        server::Core& c = *node->core;
        if (c.home.waiting()) return "publications without a place";
        if (c.port.outbox_waiting() || !c.port.inbox_empty()) return "the mesh";
        if (c.fanout.busy()) return "the fan-out";
        if (c.life.paused() != 0) return "a paused client";
        if (!c.stopped() && !node->asleep) return "a core that does not sleep";
        if (node->ring->rouses() || node->ring->has_late()) return "completions";
        std::string moving;
        c.clients.for_each([&](std::uint32_t, Client& client) {
            if (client.out != nullptr || client.state != server::ClientState::open)
                moving = describe(*network.connection(client.fd));
        });
        if (sleeper == nullptr && !moving.empty()) return "a connection of the server's" + moving;
    }
    return {};
}

void SimWorld::settle_until_quiet(const SimClient* sleeper) {
    constexpr milliseconds kBound{10'000};
    base::Duration
        waited{};  // beside what each look at a slow clock takes: the more often a core looks, the less it would get done
    int still = 0;
    for (int round = 0;; ++round) {
        for (std::size_t i = 0; i < cores(); ++i) {
            nodes_[i]->stalled_until = 0;
            nodes_[i]->paused_until = {};
            for (int turns = 0; turns < 4; ++turns) turn(i);
            check();
        }
        everybody_acts(sleeper);
        const std::string moving = unrest(sleeper);
        still = moving.empty() ? still + 1 : 0;
        if (still == 3) return;
        const milliseconds step{round < 1000 ? 1 : 10};
        clock.advance(step);
        waited += step;
        sim_check(waited < kBound,
                  "comes to rest within ten seconds when nothing goes wrong any more; there is still " + moving);
    }
}

void SimWorld::settle() { settle_until_quiet(nullptr); }
void SimWorld::settle_but(const SimClient& sleeper) { settle_until_quiet(&sleeper); }

// ---- checks

std::uint64_t SimWorld::queued(server::Core& core) {
    std::uint64_t total = 0;
    core.clients.for_each([&](std::uint32_t, Client& client) {
        if (client.out == nullptr) return;
        for (std::size_t i = 0; i < client.out->queue.size(); ++i)
            total += client.out->queue.at(i).is_delivery() ? 1 : 0;
    });
    return total;
}

std::uint64_t SimWorld::owed(server::Core& core) {
    std::uint64_t total = 0;
    core.channels.for_each([&](pubsub::LocalChannel& channel) {
        for (std::uint32_t i = 0; i < channel.subscribers.size(); ++i)
            if (!channel.subscribers[i].is_gone())
                pubsub::LocalChannels::for_each_owed(channel, i, [&](const pubsub::Held*) { ++total; });
    });
    return total;
}

void SimWorld::check_books() {
    for (auto& node : nodes_) {
        const server::Stats& s = node->stats;
        std::uint64_t gone = s.deliveries.value() + s.excluded.value();
        for (const auto& reason : s.dropped)
            for (const auto& counter : reason) gone += counter.value();
        std::uint64_t dropped = 0;
        for (const auto& counter : s.dropped_by_kind) dropped += counter.value();
        sim_check(s.deliveries.value() + s.excluded.value() + dropped == gone,
                  "counts every drop by reason and once more by kind of channel");
        sim_check(s.broadcast_taken.value() == gone + queued(*node->core) + owed(*node->core),
                  "conserves messages: taken = delivered + dropped + excluded + queued + owed");
    }
}

/// How many entries at the head of a client's queue the kernel has taken whole, while their send is under way.
std::size_t SimWorld::whole_on_the_wire(const Client& client) const {
    const pubsub::SendQueue& queue = client.out->queue;
    const FakeConnection* connection = network.connection(client.fd);
    if (!client.sending || connection == nullptr || connection->waiting_taken == 0) return 0;
    const auto size = [&](std::size_t i) { return queue.at(i).held->message->frame(wire_form(client.kind)).size(); };
    std::size_t control = connection->waiting_bytes + queue.head_taken();
    for (std::size_t i = 0; i < queue.in_flight(); ++i) control -= size(i);
    std::size_t taken = connection->waiting_taken;
    std::size_t whole = 0;
    if (queue.head_taken() != 0) {
        const std::size_t rest = size(0) - queue.head_taken();
        if (taken < rest) return 0;
        taken -= rest;
        whole = 1;
    }
    taken -= std::min(taken, control);
    while (whole < queue.in_flight() && taken >= size(whole)) taken -= size(whole++);
    return whole;
}

/// The same by the books of the simulation, and of every channel by itself.
void SimWorld::check_ledger() {
    for (auto& node : nodes_) {
        node->core->clients.for_each([&](std::uint32_t, Client& client) {
            if (client.out == nullptr) return;
            const pubsub::SendQueue& queue = client.out->queue;
            for (std::size_t i = whole_on_the_wire(client); i < queue.size(); ++i)
                if (queue.at(i).is_delivery()) ledger_.still(*queue.at(i).held->message);
        });
        node->core->channels.for_each([&](pubsub::LocalChannel& channel) {
            for (std::uint32_t i = 0; i < channel.subscribers.size(); ++i)
                if (!channel.subscribers[i].is_gone())
                    pubsub::LocalChannels::for_each_owed(
                        channel, i, [&](const pubsub::Held* held) { ledger_.still(*held->message); });
        });
        node->core->port.for_each_sent([&](const server::Envelope& envelope) {
            if (const auto* broadcast = std::get_if<server::Broadcast>(&envelope))
                ledger_.still(*broadcast->message, broadcast->expected);
        });
    }
    ledger_.settle();
}

/// What is in a queue came in under the threshold of its priority: what lies before it was there already, but for notices.
void SimWorld::check_thresholds(const Client& client) {
    const Config& config = settings_->config;
    // The others let a message in for one that goes.
    if (limits_moved_ ||
        (config.overflow != OverflowPolicy::drop_newest && config.overflow != OverflowPolicy::disconnect))
        return;
    const pubsub::SendQueue& queue = client.out->queue;
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < queue.size(); ++i) {
        const pubsub::Message& message = *queue.at(i).held->message;
        if (message.notice) continue;
        sim_check(!is_over(messages, bytes, message, client, config),
                  "lets no message into a queue over the threshold of its priority");
        ++messages;
        bytes += message.frame(wire_form(client.kind)).size() - (i == 0 ? queue.head_taken() : 0);
    }
}

/// What backends are told adds up: a channel is occupied before anything else is said of it, and vacated once.
void SimWorld::check_notices() {
    std::vector<std::unique_ptr<webhooks::Notice>> told;  // taken first: a broken promise is an exception
    notices_.drain([&](std::unique_ptr<webhooks::Notice> notice) { told.push_back(std::move(notice)); });
    for (const auto& notice : told) {
        const std::pair member(notice->channel, notice->user_id);
        const bool occupied = occupied_.contains(notice->channel);
        switch (notice->what) {
            case WebhookEvent::channel_occupied:
                sim_check(!occupied, "tells once that a channel is occupied");
                occupied_.insert(notice->channel);
                break;
            case WebhookEvent::channel_vacated:
                sim_check(occupied, "tells that a channel is vacated after it was occupied");
                occupied_.erase(notice->channel);
                break;
            case WebhookEvent::member_added:
                sim_check(members_.insert(member).second, "tells once that a member came");
                break;
            case WebhookEvent::member_removed:
                sim_check(members_.erase(member) == 1, "tells once that a member left");
                break;
            case WebhookEvent::client_event: sim_check(occupied, "tells of client events of occupied channels"); break;
            case WebhookEvent::cache_miss:
            case WebhookEvent::subscription_count: break;
        }
    }
    sim_check(sum([](const server::Stats& s) { return s.webhook_overruns.value(); }) == 0,
              "loses no notice while somebody takes them");
}

/// The same against what is so. Between turns nothing is on its way from a home to the notices.
void SimWorld::check_occupancy() {
    check_notices();
    std::set<std::string> channels;
    for (auto& node : nodes_)
        node->core->home.channels().for_each([&](const pubsub::HomeChannel& channel) {
            if (!channel.name.starts_with('#')) channels.insert(channel.name);
        });
    sim_check(occupied_ == channels, "has told which channels are occupied, exactly");
}

void SimWorld::check_bounds() {
    std::size_t subscriptions = 0;
    for (auto& node : nodes_) {
        node->core->clients.for_each([&](std::uint32_t, Client& client) {
            subscriptions += client.subscriptions.size();
            if (client.out == nullptr) return;
            std::size_t notices = 0;  // of gaps: come in whatever the limits are, at most one per message
            for (std::size_t i = 0; i < client.out->queue.size(); ++i)
                notices += client.out->queue.at(i).held->message->notice ? 1 : 0;
            sim_check(client.out->queue.size() <= settings_->config.queue_messages + 1 + notices,
                      "bounds the messages that wait for a client");
            check_thresholds(client);
            sim_check(client.out->queue.bytes() <=
                          settings_->config.queue_bytes + options_.padding_max * 2 + 1024 + notices * 128,
                      "bounds the bytes that wait for a client");
        });
    }
    for (auto& node : nodes_) {
        constexpr std::size_t kHeldInputMax = 64 * kKiB;
        // What the ring has in its buffers when the receive is to end, and what it still receives until it has ended.
        const std::size_t lent = (options_.ring.buffers + 64) * options_.ring.buffer_bytes + kKiB;
        sim_check(node->core->life.held_bytes() <= node->core->clients.size() * (kHeldInputMax + lent),
                  "bounds the input that waits: " + std::to_string(node->core->life.held_bytes()) + " of " +
                      std::to_string(node->core->clients.size()) + " connections");
        std::size_t gathered = 0;  // messages
        std::uint64_t gathered_bytes = 0;
        node->core->channels.for_each([&](pubsub::LocalChannel& channel) {
            gathered += channel.gathered.size() + channel.pass.messages.size();
            gathered_bytes += channel.gathered_bytes;
            for (const pubsub::Held* held : channel.pass.messages) gathered_bytes += held->message->bytes;
        });
        server::Sender& sender = node->core->sender;
        sim_check(node->core->holds.in_use() <= gathered + sender.queued_messages() + sender.zero_copy().held(),
                  "holds no message that nothing refers to");
        // Once it is over its bound no more is taken out of the mesh than was begun.
        const std::uint64_t largest = std::bit_ceil(12 * options_.padding_max + 4096);
        sim_check(gathered_bytes <= 4 * kMiB + 64 * largest, "bounds what fan-out gathers");
        sim_check(node->core->port.outbox_size() <=
                      64 + 2 * cores() * (mesh_.capacity() * cores() + 2 * subscriptions + 2 * options_.clients),
                  "keeps outboxes small");
    }
}

/// Every operation, to the moment its owner takes its end, is one of a client that is there, on its own descriptor; and no
/// two clients have the same.
void SimWorld::check_operations() {
    std::set<int> descriptors;
    for (auto& node : nodes_) {
        server::Core& c = *node->core;
        node->ring->for_each_under_way([&](io::Token token, int fd) {
            if (token.op == io::Op::accept) return;
            const Client* client = token.op == io::Op::send_zc ? c.find(c.sender.zero_copy().client_of(token.slot))
                                                               : c.clients.find(token.slot, token.generation);
            sim_check(client != nullptr && client->fd == fd, "has no operation under way of a slot that is free");
        });
        c.clients.for_each([&](std::uint32_t, Client& client) {
            sim_check(network.connection(client.fd) != nullptr && descriptors.insert(client.fd).second,
                      "has a descriptor of its own for each client");
        });
    }
}

void SimWorld::check_sleepers() {
    for (auto& node : nodes_)
        if (node->asleep)
            sim_check(node->core->port.inbox_empty() || node->ring->woken(), "wakes a sleeping core for what it sends");
}

void SimWorld::observe_leaves() {
    for (auto& person : clients_) {
        if (person->gone()) continue;
        const Client* client = nullptr;
        bool looked = false;
        for (auto& [name, subscription] : person->channels()) {
            if (subscription.state != SimSubscription::State::leaving || !subscription.placed()) continue;
            if (!looked) client = find(person->connection());
            looked = true;
            if (client == nullptr) break;
            server::Core& owner = core(ClientId::unpack(client->id).core);
            const LocalChannelId id = owner.channels.find(pubsub::channel_key(0, name));
            if (!id.is_none() && client->subscriptions.find(id) != server::SubscriptionList::kNone) continue;
            subscription.seen_out(scene.model.order(name).size());
            subscription.state = SimSubscription::State::out;
        }
    }
}

void SimWorld::check() {
    for (auto& node : nodes_)
        if (!node->core->stopped()) node->core->check_invariants();
    check_books();
    check_ledger();
    check_occupancy();
    check_bounds();
    check_operations();
    check_sleepers();
    observe_leaves();
}

void SimWorld::check_rest() {
    std::size_t missing = 0;
    for (auto& person : clients_) {
        if (!person->open() || person->rude) continue;
        sim_check(person->echoes_due() == 0, "echoes everything");
        for (auto& [name, subscription] : person->channels()) {
            if (subscription.state == SimSubscription::State::out) continue;
            sim_check(subscription.state == SimSubscription::State::in, "answers every subscribe and unsubscribe");
            sim_check(!subscription.expects_kept(), "sends every new subscriber the last event, or that there is none");
            missing += subscription.missing_at_end(scene.model, name, person->id());
        }
    }
    const std::uint64_t drops = dropped(DropReason::queue_threshold) + dropped(DropReason::displaced) +
                                dropped(DropReason::conflated) + dropped(DropReason::queue_full) +
                                dropped(DropReason::memory);
    sim_check(scene.gaps + missing <= drops, "counts every message that somebody misses");
    if (options_.calm) sim_check(drops == 0, "drops nothing when nothing goes wrong and queues have room");
    check_members();
    if (drops == 0) check_counts();
    for (auto& node : nodes_) {
        const auto held = node->core->holds.in_use();
        sim_check(held == 0, "holds no message when nothing waits");
        sim_check(node->core->blocks.blocks_live() == 0, "has every block back when nothing waits");
    }
}

/// At rest, where nobody is between two states: as the server has it, which must be what people were told.
std::map<std::string, std::size_t> SimWorld::users_in(const std::string& channel) {
    std::map<std::string, std::size_t> users;  // with their connections
    for (auto& person : clients_) {
        const Client* client = find(person->connection());
        if (client == nullptr || client->state != server::ClientState::open) continue;
        server::Core& owner = core(ClientId::unpack(client->id).core);
        const LocalChannelId id = owner.channels.find(pubsub::channel_key(0, channel));
        const bool in = !id.is_none() && client->subscriptions.find(id) != server::SubscriptionList::kNone;
        // Of those who misbehave it is not known what of their words was understood.
        if (!person->rude && person->open())
            sim_check(in == (person->in(channel).state == SimSubscription::State::in),
                      "has everybody in the channels that he was told he is in, and in no other");
        if (in) ++users[person->user_id()];
    }
    return users;
}

void SimWorld::check_members() {
    for (const std::string& channel : channels_) {
        if (!channel.starts_with("presence-")) continue;
        const auto users = users_in(channel);
        const pubsub::Roster* roster = core(home_of(channel)).home.roster(pubsub::channel_key(0, channel));
        sim_check((roster == nullptr ? 0 : roster->size()) == users.size(), "knows who is in a presence channel");
        std::set<std::string> ids;
        for (const auto& [id, connections] : users) {
            const pubsub::Roster::Member* member = roster->find(id);
            sim_check(member != nullptr && member->connections == connections, "counts every connection of a member");
            ids.insert(id);
        }
        sim_check(scene.model.members(channel) == ids, "told of everybody who came and went");
        for (auto& person : clients_)
            if (person->open() && person->in(channel).state == SimSubscription::State::in)
                sim_check(person->in(channel).members() == ids, "tells members of everybody who came and went");
    }
}

void SimWorld::check_counts() {
    for (const std::string& channel : channels_) {
        if (channel.starts_with("presence-")) continue;
        std::size_t subscribers = 0;
        for (const auto& [id, connections] : users_in(channel)) subscribers += connections;
        for (auto& person : clients_)
            if (person->open() && person->kind() == SimClient::Kind::pusher &&
                person->in(channel).state == SimSubscription::State::in)
                sim_check(person->in(channel).count() == subscribers, "tells subscribers how many they are");
    }
}

bool SimWorld::anybody_waits() const {
    return network.has_backlog(ops_listener_) ||
           std::ranges::any_of(nodes_, [this](const auto& node) { return network.has_backlog(node->listener); });
}

void SimWorld::check_service() {
    const Config& config = settings_->config;
    if (config.max_clients + config.max_api_connections + config.max_connections + config.max_clients_per_ip != 0 ||
        config.max_handshakes < 100 || options_.clients_max < 100) {  // all places may be taken: they must come free
        for (auto& client : clients_)
            if (!client->gone()) client->reset();
        for (auto& publisher : publishers_)
            if (!publisher->gone()) publisher->reset();
        settle();
    }
    if (config.connects_per_second_per_ip != 0) {  // its bucket is full again
        clock.advance(milliseconds{1001});
        settle();
    }
    SimClient& fresh = connect(dice_.below(cores()), SimClient::Kind::pusher, {}, 1 << 20);
    settle();
    sim_check(fresh.open(), "serves a new client when everything is over");
    for (const auto& channel : channels_) {
        fresh.subscribe(channel);
        settle();
    }
    SimPublisher& publisher = connect_publisher(dice_.below(cores()));
    for (const auto& channel : channels_) {
        publisher.publish({{channel}, "last", Priority::normal, nullptr});
        settle();
    }
    for (const int status : publisher.statuses())
        sim_check(status == 200, "takes a publication when everything is over");
    sim_check(publisher.statuses().size() == channels_.size(), "answers every publication when everything is over");
    for (const auto& channel : channels_) {
        const bool in = fresh.in(channel).state == SimSubscription::State::in;
        sim_check(in || (options_.members_max < SimClient::kUsers && channel.starts_with("presence-")),
                  "subscribes a new client when everything is over");
        if (!in) continue;
        sim_check(fresh.in(channel).deliveries == 1,
                  "delivers when everything is over: " + channel + " " + std::to_string(fresh.in(channel).deliveries));
    }
    check_channels(publisher);
    check_rest();
}

/// The API tells every channel with its subscribers, as the cores that have them count them.
void SimWorld::check_channels(SimPublisher& publisher) {
    std::map<std::string, std::size_t> there;
    for (auto& node : nodes_)
        node->core->channels.for_each([&](pubsub::LocalChannel& channel) {
            for (const pubsub::Subscriber& subscriber : channel.subscribers)
                if (!subscriber.is_gone()) ++there[channel.name];
        });
    publisher.ask_channels({});
    settle();
    const JsonObject told = read_json_object(field(read_json_object(publisher.body()), "channels"));
    sim_check(told.size() == there.size(), "lists every channel once: " + publisher.body());
    for (const auto& [name, count] : there) {
        sim_check(told.contains(name), "lists every channel");
        sim_check(field(read_json_object(field(told, name)), "subscription_count") == std::to_string(count),
                  "tells how many subscribe");
    }
}

void SimWorld::send_everybody_off() {
    for (auto& publisher : publishers_)
        if (publisher->mode() == SimPublisher::Mode::figures)
            publisher->finish();  // the metrics port serves to the last
    if (options_.ending == SimOptions::End::in_order) {
        for (auto& client : clients_) {
            if (client->gone()) continue;
            switch (dice_.below(3)) {
                case 0: client->upgraded() ? client->close_with_frame(1000) : client->finish(); break;
                case 1: client->finish(); break;
                default: client->reset(); break;
            }
        }
        for (auto& publisher : publishers_) publisher->finish();
        settle();
    } else {
        for (auto& client : clients_) client->rude = true;  // it is sent away, which is no fault
        scene.calm = false;
    }
    for (auto& node : nodes_) node->paused_until = {};
    signal(options_.ending == SimOptions::End::forced ? server::Signal::What::force : server::Signal::What::drain);
}

void SimWorld::end() {
    send_everybody_off();
    const base::Instant limit = clock.peek() + settings_->config.drain_timeout + milliseconds{5000};
    while (drained() < cores()) {
        sim_check(clock.peek() < limit, "drains within its deadline");
        for (auto& client : clients_) {
            client->write(1 << 20);
            client->read(client->reads_at_once);  // also those who have stopped reading
        }
        for (auto& publisher : publishers_) {
            publisher->write(1 << 20);
            publisher->read(1 << 20);
        }
        for (std::size_t i = 0; i < cores(); ++i) {
            turn(i);
            check();
        }
        clock.advance(milliseconds{5});
    }
    for (auto& client : clients_) client->connection().close();
    for (auto& publisher : publishers_) publisher->connection().close();
    const auto anything_late = [this] {
        return std::ranges::any_of(nodes_, [](const auto& node) { return node->ring->has_late(); });
    };
    for (auto& node : nodes_) node->ring->faults = {};
    // Blocks on their way home, and whoever was accepted in the last moment.
    for (int still = 0; still < 50; still = anything_late() ? 0 : still + 1) {
        for (std::size_t c = 0; c < cores(); ++c) turn(c);
        clock.advance(milliseconds{10});
    }
    check();
    check_nothing_left();
    signal(server::Signal::What::stop);
    for (int i = 0; i < 10; ++i)
        for (std::size_t c = 0; c < cores(); ++c) turn(c);
    for (auto& node : nodes_) sim_check(node->core->stopped(), "stops when it is told to");
}

void SimWorld::check_nothing_left() {
    sim_check(network.open_connections() == 0, "closes every descriptor");
    sim_check(network.accepted() == network.closed(), "closes every descriptor once");
    check_occupancy();
    sim_check(occupied_.empty() && members_.empty(), "has told that everybody left");
    for (const server::Quota* quota :
         {&quotas_.connections, &quotas_.handshakes, &quotas_.api, &quotas_.clients, &quotas_.per_app[0]})
        sim_check(quota->count() == 0, "gives every place of the quotas back");
    sim_check(sum([](const server::Stats& s) { return s.broadcast_sent.value() - s.broadcast_taken.value(); }) == 0,
              "takes everything out of the mesh");
    for (auto& node : nodes_) {
        server::Core& c = *node->core;
        sim_check(c.clients.size() == 0, "frees every slot");
        sim_check(c.channels.size() == 0 && c.home.channels().size() == 0, "closes every channel");
        sim_check(c.blocks.blocks_live() == 0, "has every block back");
        sim_check(c.holds.in_use() == 0, "holds no message");
        sim_check(c.users.watches() == 0, "watches nobody");
        sim_check(c.sender.outflows() == 0 && c.sender.queued_messages() == 0, "has every outflow back");
        sim_check(c.sender.zero_copy().held() == 0, "holds no frame for the kernel");
        sim_check(c.gate.book().clients() == 0, "gives every place of an address back");
        sim_check(c.http.exchanges() == 0, "has every exchange back");
        sim_check(c.key_office.keys().pending() == 0, "hears the end of every idempotency key");
        sim_check(c.calls.size() == 0, "brings every API call to its end");
        sim_check(c.timers.size() == 0, "has no timer set");
        sim_check(c.gaps.size() == 0, "remembers nothing of what clients missed");
        sim_check(node->ring->at_rest() || (node == nodes_[0] && node->ring->armed() == 1),
                  "leaves no operation and no buffer with the ring");
        for (const auto& gauge : node->stats.clients) sim_check(gauge.value() == 0, "counts its clients to zero");
        sim_check(node->stats.subscriptions.value() == 0, "counts its subscriptions to zero");
    }
}

}  // namespace spillway::test
