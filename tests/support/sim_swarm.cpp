// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The swarm's part of the world: the circumstances that a seed draws, and the steps.
#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "sim_world.h"

namespace spillway::test {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

template <class T, std::size_t N>
T pick(Seeded& dice, const T (&choices)[N]) {
    return choices[dice.below(N)];
}

constexpr int kNetworkErrors[] = {ETIMEDOUT, ECONNRESET, EHOSTUNREACH};

/// How much goes wrong. `calm`: nothing, and nothing may be lost. `liveness`: a little, until it stops; then all comes to rest and
/// everybody is served. `safety`: anything, and the end may come in the midst of it.
enum class Mode : std::uint8_t { calm, liveness, safety };

/// How often something goes wrong, per mille: never in a third of all seeds, else rarely, now and then, or often.
class Rates {
public:
    Rates(Seeded& dice, Mode mode) : dice_(dice), few_(mode == Mode::liveness) {}
    [[nodiscard]] unsigned draw() const {
        constexpr unsigned kAny[] = {0, 0, 5, 30, 150, 400};
        constexpr unsigned kFew[] = {0, 0, 2, 5, 12, 30};
        return pick(dice_, few_ ? kFew : kAny);
    }

private:
    Seeded& dice_;
    bool few_;
};

FakeFaults draw_faults(const Rates& rates) {
    FakeFaults faults;
    faults.idle = rates.draw();
    faults.short_read = rates.draw();
    faults.recv_ends = rates.draw();
    faults.no_buffers = rates.draw();
    faults.short_send = rates.draw();
    faults.again = rates.draw();
    faults.shortage = rates.draw() / 4;
    faults.accept_error = rates.draw();
    faults.accept_ends = rates.draw();
    faults.delay = rates.draw();
    faults.late = rates.draw() / 4;
    faults.recv_error = rates.draw() / 20;
    faults.send_error = rates.draw() / 20;
    faults.overflow = rates.draw() / 4;
    faults.cancel_race = rates.draw() * 2;
    faults.copied = rates.draw() * 3;
    faults.zc_refused = rates.draw() / 4;
    return faults;
}

void draw_trouble(Seeded& dice, const Rates& rates, SimOptions& o) {
    constexpr std::size_t kQueues[] = {2, 5, 16, 64, 1024};
    constexpr std::size_t kQueueBytes[] = {600, 4096, 65'536, 1'048'576};
    constexpr std::size_t kWindows[] = {40, 300, 2000, 64 * 1024};
    constexpr std::size_t kSendBuffers[] = {16, 500, 8192, 256 * 1024};
    o.faults = draw_faults(rates);
    o.config.queue_messages = pick(dice, kQueues);
    o.config.queue_bytes = pick(dice, kQueueBytes);
    o.config.overflow = static_cast<OverflowPolicy>(dice.below(4));
    o.config.socket_send_buffer = pick(dice, kSendBuffers);
    o.config.max_message = dice.chance(300) ? 300 : 32 * kKiB;
    o.window = pick(dice, kWindows);
    o.churn = rates.draw() / 5;
    o.slow = rates.draw() * 2;
    o.rude = rates.draw();
    o.hasty = rates.draw();
    o.stalls = rates.draw() / 10;
    o.pauses = rates.draw() / 10;
    o.cuts = rates.draw() / 5;
    o.leaps = rates.draw() / 20;
    o.hours = dice.chance(300);
    if (dice.chance(300)) {
        o.members_max = dice.between(1, 4);
        o.hasty = 0;  // or a refusal could not be told from one of an earlier join
    }
    if (dice.chance(150)) o.config.max_clients = dice.between(2, 6);
    if (dice.chance(100)) o.clients_max = dice.between(2, 6);
    if (dice.chance(80)) o.config.max_clients_per_ip = dice.between(1, 8);
    if (dice.chance(80)) o.config.connects_per_second_per_ip = dice.between(1, 8);
    if (dice.chance(80)) o.config.max_handshakes = dice.between(1, 4);
    if (dice.chance(80)) o.config.max_api_connections = dice.between(1, 3);
    if (dice.chance(80)) o.config.max_connections = dice.between(2, 12);
    constexpr std::size_t kBacklogs[] = {200, 2000, 20'000, 200'000};
    if (dice.chance(200)) o.config.backlog_bytes = pick(dice, kBacklogs);
    o.config.drain_timeout = dice.chance(500) ? milliseconds{10'000} : milliseconds{300};
}

}  // namespace

SimOptions draw_circumstances(std::uint64_t seed) {
    Seeded dice(seed);
    constexpr std::size_t kMeshes[] = {8, 16, 32, 64, 4096};
    constexpr std::size_t kBatches[] = {1, 2, 3, 8, kSendBatch};
    constexpr std::size_t kBuffers[] = {2, 4, 16, 64};
    constexpr std::size_t kBufferBytes[] = {64, 128, 1024, 4096};
    constexpr std::size_t kEntries[] = {4, 16, 64, 256};
    constexpr std::size_t kPaddings[] = {4, 60, 700, 9000};
    constexpr base::Duration kReadings[] = {base::Duration(0), base::Duration(0), microseconds(20), microseconds(600)};
    SimOptions o;
    o.seed = seed;
    o.cores = dice.between(1, 3);
    o.mesh_capacity = pick(dice, kMeshes);
    o.send_batch = pick(dice, kBatches);
    o.pass_step = pick(dice, kBatches);
    o.ring.sq_entries = pick(dice, kEntries);
    o.ring.cq_entries = o.ring.sq_entries * 4;
    o.ring.buffers = pick(dice, kBuffers);
    o.ring.buffer_bytes = pick(dice, kBufferBytes);
    o.zero_copy_from = dice.chance(300) ? dice.between(1, 200) : kZeroCopyBytes;
    o.per_reading = pick(dice, kReadings);
    o.channels = dice.between(1, 6);
    o.clients = dice.between(2, dice.chance(250) ? 40 : 14);
    o.publishers = dice.between(1, 4);
    o.channels_per_publication = dice.between(1, std::min<std::size_t>(o.channels, o.mesh_capacity / 4));
    o.padding_max = pick(dice, kPaddings);
    o.pipeline = dice.chance(500) ? dice.between(1, 4) : dice.between(20, 150);
    o.burst = dice.chance(400) ? 1 : dice.between(2, 30);
    const Mode mode = dice.chance(250) ? Mode::calm : dice.chance(450) ? Mode::liveness : Mode::safety;
    const Rates rates(dice, mode);
    o.calm = mode == Mode::calm;
    o.mode = mode == Mode::calm ? "calm" : mode == Mode::liveness ? "liveness" : "safety";
    o.config.queue_messages = 100'000;
    o.config.queue_bytes = std::uint64_t{1} << 30;
    if (o.calm) {
        constexpr milliseconds kNever{3'600'000};
        o.config.handshake_timeout = o.config.ping_interval = o.config.pong_timeout = kNever;
        o.config.read_timeout = o.config.write_timeout = o.config.http_idle_timeout = kNever;
    } else {
        draw_trouble(dice, rates, o);
    }
    using End = SimOptions::End;
    constexpr End kEnds[] = {End::in_order, End::in_order, End::drained, End::abrupt, End::forced};
    o.ending = pick(dice, kEnds);
    // The end in the midst of it comes at any step, and often while the first are still arriving.
    if (mode == Mode::liveness && (o.ending == End::abrupt || o.ending == End::forced)) o.ending = End::in_order;
    if (o.ending == End::abrupt || o.ending == End::forced)
        o.steps = dice.chance(400) ? dice.between(1, 500) : dice.between(500, o.steps);
    o.reloads = Rates(dice, Mode::safety).draw() / 10;
    constexpr std::size_t kShorts[] = {1, 8, 40, 200, 1024};
    o.short_bytes = pick(dice, kShorts);
    return o;
}

// ---- the whole of it

void SimWorld::play() {
    for (std::size_t i = 0; i < options_.clients; ++i) spawn_client();
    for (std::size_t i = 0; i < options_.publishers; ++i) spawn_publisher();
    while (steps_ < options_.steps) step();
    if (options_.ending == SimOptions::End::abrupt || options_.ending == SimOptions::End::forced) {
        end();
        return;
    }
    for (auto& node : nodes_) node->ring->faults = {};
    for (auto& client : clients_) client->connection().window = 1 << 20;
    settle();
    if (anybody_waits()) {  // for an accept that is tried again after a moment
        clock.advance(milliseconds{101});
        settle();
    }
    sim_check(!anybody_waits(), "accepts or refuses whoever connects");
    check_rest();
    check_service();
    end();
    note(scene.deliveries);
    note(scene.gaps);
    note(scene.trace);
}

void SimWorld::step() {
    ++steps_;
    scene.unix_seconds = clock.unix_seconds();
    const std::size_t what = dice_.below(100);
    note(what);
    if (steps_ == options_.strike_at) strike();
    if (steps_ == options_.planted_at) {
        if (options_.planted_abort) std::abort();
        sim_check(false, "fails because it was told to");
    }
    if (what < 40) {
        const std::size_t i = dice_.below(cores());
        if (!is_standing_still(*nodes_[i])) turn(i);
    } else if (what < 72) {
        for (std::size_t n = dice_.between(1, options_.burst); n > 0; --n)
            step_client(*clients_[dice_.below(clients_.size())]);
    } else if (what < 88) {
        for (std::size_t n = dice_.between(1, options_.burst); n > 0; --n)
            step_publisher(*publishers_[dice_.below(publishers_.size())]);
    } else if (what < 97) {
        step_time();
    } else {
        step_fate();
    }
    for (auto& node : nodes_) note(node->ring->trace());
    check();
}

void SimWorld::step_time() {
    constexpr base::Duration kSteps[] = {microseconds(10), microseconds(300), milliseconds(1), milliseconds(7)};
    clock.advance(pick(dice_, kSteps));
    if (options_.calm) return;
    // Seconds of a pause pass in pieces, between which the others turn.
    if (std::ranges::any_of(nodes_, [this](const auto& node) { return node->paused_until > clock.peek(); }))
        clock.advance(milliseconds{dice_.between(1, 300)});
    if (dice_.chance(options_.leaps)) {
        constexpr base::Duration kLeaps[] = {milliseconds(60), milliseconds(600), milliseconds(2100),
                                             seconds(11),      seconds(31),       seconds(80)};
        clock.advance(pick(dice_, kLeaps));
    }
    if (dice_.chance(options_.leaps)) {
        clock.wall_step = static_cast<std::int64_t>(dice_.below(600)) - 300;
        if (options_.hours && dice_.chance(200)) clock.advance(hours(1));
    }
}

void SimWorld::step_fate() {
    replace_departed();
    if (dice_.chance(options_.stalls * 4))
        nodes_[dice_.below(cores())]->stalled_until = steps_ + dice_.between(10, 200);
    if (dice_.chance(options_.pauses))
        nodes_[dice_.below(cores())]->paused_until = clock.peek() + milliseconds{dice_.between(500, 8000)};
    if (dice_.chance(options_.cuts)) anybody().fail(pick(dice_, kNetworkErrors));
    if (dice_.chance(options_.reloads)) reload_something();
    if (!dice_.chance(options_.churn)) return;
    SimClient& client = *clients_[dice_.below(clients_.size())];
    if (!client.gone()) client.reset();
    if (dice_.chance(200)) publishers_[dice_.below(publishers_.size())]->reset();
}

FakeConnection& SimWorld::anybody() {
    const std::size_t i = dice_.below(clients_.size() + publishers_.size());
    return i < clients_.size() ? clients_[i]->connection() : publishers_[i - clients_.size()]->connection();
}

void SimWorld::strike() {
    for (auto& client : clients_) {
        if (client->gone() || client->leaving()) continue;
        switch (options_.strike) {
            case SimOptions::Way::close_frame:
                client->upgraded() ? client->close_with_frame(1000) : client->finish();
                break;
            case SimOptions::Way::fin: client->finish(); break;
            case SimOptions::Way::rst: client->reset(); break;
            case SimOptions::Way::network: client->connection().fail(ETIMEDOUT); break;
        }
        return;
    }
}

void SimWorld::reload_something() {
    if (!reloaded()) return;
    Config wanted = with_app(options_.config, options_.members_max);
    // Apps that nobody uses come and go; a limit of headers moves, which lends all parsers anew.
    for (std::size_t n = dice_.below(3); n > 0; --n) {
        AppConfig other = wanted.apps.front();
        other.id = other.key = "other-" + std::to_string(dice_.below(5)) + std::string(n, '-');
        wanted.apps.insert(wanted.apps.begin() + static_cast<std::ptrdiff_t>(dice_.below(wanted.apps.size() + 1)),
                           other);
    }
    wanted.max_headers += dice_.below(2);
    reload(std::move(wanted));
}

void SimWorld::replace_departed() {
    const auto departed = [this](const auto& person) {
        if (!person->gone() || network.connection(person->connection().fd) == &person->connection()) return false;
        by_connection_.erase(&person->connection());
        return true;
    };
    const std::size_t gone = std::erase_if(clients_, departed);
    const std::size_t publishers_gone = std::erase_if(publishers_, departed);
    for (std::size_t i = 0; i < gone; ++i) spawn_client();
    for (std::size_t i = 0; i < publishers_gone; ++i) spawn_publisher();
}

void SimWorld::spawn_client() {
    const std::size_t one = dice_.below(10);
    const auto kind = one < 2 ? SimClient::Kind::feed : one < 3 ? SimClient::Kind::echo : SimClient::Kind::pusher;
    std::string fed = any_channel();
    if (fed.starts_with("presence-")) fed = "room-nobody-publishes-to";  // presence channels cannot be fed
    SimClient& client =
        connect(dice_.below(cores()), kind, kind == SimClient::Kind::feed ? fed : "", 0, dice_.chance(400));
    client.connection().inbound_max = 16'000;
    if (dice_.chance(options_.slow)) client.reads_at_once = dice_.below(30);
    client.rude = dice_.chance(options_.rude);
    if (dice_.chance(200)) client.fragment(dice_.between(1, 40));
}

std::uint64_t SimWorld::completions() const {
    std::uint64_t total = 0;
    for (const auto& node : nodes_) total += node->ring->figures().cqes;
    return total;
}

std::string SimWorld::summary() {
    std::string text;
    const auto tell = [&text](std::string_view name, std::uint64_t figure) {
        text.append(" ").append(name).append("=").append(std::to_string(figure));
    };
    tell("cores", cores());
    tell("mesh", options_.mesh_capacity);
    text.append(" mode=").append(options_.mode);
    tell("accepted", network.accepted());
    tell("publications", scene.model.size());
    tell("sequenced", sum([](const server::Stats& s) { return s.published.value(); }));
    tell("refused", sum([](const server::Stats& s) { return s.publish_refused.value(); }));
    tell("received", scene.deliveries);
    tell("gaps", scene.gaps);
    tell("told", scene.told);
    tell("excluded", sum([](const server::Stats& s) { return s.excluded.value(); }));
    tell("pauses", sum([](const server::Stats& s) { return s.pauses.value(); }));
    tell("turns", sum([](const server::Stats& s) { return s.turns.value(); }));
    tell("completions", completions());
    for (std::size_t i = 0; i < kDropReasons; ++i)
        tell(to_string(static_cast<DropReason>(i)), dropped(static_cast<DropReason>(i)));
    for (std::size_t i = 0; i < kCloseReasons; ++i) {
        const auto closes = sum([i](const server::Stats& s) {
            std::uint64_t total = 0;
            for (const auto& of_code : s.closes) total += of_code[i].value();
            return total;
        });
        if (closes != 0) tell(to_string(static_cast<CloseReason>(i)), closes);
    }
    return text;
}

void SimWorld::spawn_publisher() {
    using Mode = SimPublisher::Mode;
    const std::size_t one = dice_.below(10);
    SimPublisher& publisher = connect_publisher(dice_.below(cores()), one < 3   ? Mode::stream
                                                                      : one < 4 ? Mode::figures
                                                                                : Mode::requests);
    publisher.connection().inbound_max = 16'000;
}

// ---- one person's step

std::string SimWorld::any_channel() { return channels_[dice_.below(channels_.size())]; }

std::string SimWorld::padding() {
    constexpr std::string_view kPieces[] = {"x", "\"", "\\", "é", "\n", "\x01", "€", "𝄞", "/", "0123456789"};
    std::string text;
    const std::size_t bytes = dice_.below(options_.padding_max);
    if (dice_.chance(200)) {
        while (text.size() < std::min<std::size_t>(bytes, 100)) text += kPieces[dice_.below(std::size(kPieces))];
    }
    if (text.size() < bytes) text.append(bytes - text.size(), 'x');
    return text;
}

SimPublisher::Event SimWorld::any_event(std::size_t channels_max) {
    SimPublisher::Event event;
    const std::size_t count = dice_.between(1, channels_max);
    const std::size_t first = dice_.below(channels_.size());
    for (std::size_t i = 0; i < count; ++i) event.channels.push_back(channels_[(first + i) % channels_.size()]);
    event.padding = padding();
    if (dice_.chance(300)) event.priority = static_cast<Priority>(dice_.below(kPriorities));
    if (dice_.chance(250)) {
        const SimClient& client = *clients_[dice_.below(clients_.size())];
        if (client.open() && !client.socket_id().empty()) event.excluded = &client;
    }
    return event;
}

void SimWorld::step_publisher(SimPublisher& publisher) {
    if (publisher.gone()) return;
    switch (dice_.below(5)) {
        case 0:
            if (publisher.unsent() > 2000 ||
                publisher.unanswered() >= (publisher.mode() == SimPublisher::Mode::figures ? 3 : options_.pipeline))
                break;
            if (publisher.mode() == SimPublisher::Mode::figures) {
                publisher.ask_figures(dice_);
            } else if (publisher.mode() == SimPublisher::Mode::requests && dice_.chance(150)) {
                if (dice_.chance(500)) {
                    publisher.ask_channel(any_channel());
                } else {
                    publisher.ask_channels(dice_.chance(500) ? "" : "room-");
                }
            } else if (!options_.hours && dice_.chance(150)) {
                const SimPublisher& other = *publishers_[dice_.below(publishers_.size())];
                if (other.has_keyed() && dice_.chance(600)) {
                    publisher.repeat(other);
                } else {
                    publisher.publish_keyed(any_event(options_.channels_per_publication));
                }
            } else if (!options_.calm && dice_.chance(20)) {
                publisher.misbehave(dice_);
            } else if (options_.mesh_capacity > 8 && dice_.chance(200)) {
                std::vector<SimPublisher::Event> events;
                for (std::size_t i = dice_.between(1, 4); i > 0; --i) events.push_back(any_event(1));
                publisher.batch(events);
            } else {
                publisher.publish(any_event(options_.channels_per_publication));
            }
            break;
        case 1:
        case 2: publisher.write(dice_.chance(800) ? 1 << 20 : dice_.between(1, 50)); break;
        default: publisher.read(1 << 20); break;
    }
}

void SimWorld::step_client(SimClient& client) {
    if (client.gone()) return;
    switch (dice_.below(10)) {
        case 0:
        case 1:
        case 2:
        case 3: client.read(client.reads_at_once); break;
        case 4:
        case 5:
        case 6: client.write(dice_.chance(700) ? 1 << 20 : dice_.between(1, 30)); break;
        default: speak(client); break;
    }
}

void SimWorld::speak(SimClient& client) {
    if (!client.open() || client.unsent() > 4000) return;
    if (dice_.chance(options_.churn)) {
        switch (dice_.below(4)) {
            case 0: client.close_with_frame(dice_.chance(500) ? 1000 : 0); break;
            case 1: client.finish(); break;
            case 2: client.reset(); break;
            default: client.reads_at_once = dice_.chance(500) ? 0 : 4096; break;
        }
        return;
    }
    if (client.rude && dice_.chance(100)) return misbehave(client);
    if (dice_.chance(60)) return client.ping();
    if (client.kind() == SimClient::Kind::feed) return;
    if (client.kind() == SimClient::Kind::echo) return client.shout(std::string(dice_.between(1, 200), 'e'));
    if (dice_.chance(60)) return client.pusher_ping();
    const std::string channel = any_channel();
    SimSubscription& subscription = client.in(channel);
    switch (subscription.state) {
        case SimSubscription::State::out: client.subscribe(channel); break;
        case SimSubscription::State::asked:
            if (dice_.chance(options_.hasty)) client.unsubscribe(channel);
            break;
        case SimSubscription::State::in:
            if (dice_.chance(150)) {
                client.unsubscribe(channel);
            } else if (channel.starts_with("private-") || channel.starts_with("presence-")) {
                client.client_event(channel,
                                    std::string(dice_.below(std::min<std::size_t>(options_.padding_max, 200)), 'c'));
            }
            break;
        case SimSubscription::State::leaving: break;
    }
}

void SimWorld::misbehave(SimClient& client) {
    switch (dice_.below(8)) {
        case 0: client.say("not JSON"); break;
        case 1: client.say(R"({"event":"pusher:subscribe","data":{"channel":"private-x","auth":"key:00"}})"); break;
        case 2: client.say(R"({"event":"client-event","channel":"private-nowhere","data":1})"); break;
        case 3: client.send_raw(client_frame(opcode::kText, std::string(40'000, 'y')).substr(0, 200)); break;
        case 4: client.send_raw(client_frame(opcode::kText, "\xFF\xFE")); break;
        case 5: client.send_raw("\xFF\xFF\xFF\xFF"); break;
        case 6: client.send_raw(client_frame(opcode::kText, "begun and never ended", false)); break;
        default:
            for (int i = 0; i < 100; ++i) client.say("{}");
            break;
    }
}

}  // namespace spillway::test
