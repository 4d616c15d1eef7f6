// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The people outside: Pusher and Feed clients that speak real bytes over a fake connection, and publishers that sign real
// HTTP requests. They do one thing at a time, when told; what they receive they hold against the model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "fake_network.h"
#include "seeded.h"
#include "sim_model.h"
#include "wire.h"

namespace spillway::test {

/// What the people know of the world.
struct SimScene {
    SimModel model;
    std::size_t gaps = 0;        // messages that receivers found missing
    std::size_t deliveries = 0;  // messages that receivers got
    std::size_t told = 0;        // messages that receivers were told they miss
    std::int64_t unix_seconds = 0;
    bool calm = false;        // nothing goes wrong: errors and closes by the server are failures
    std::uint64_t trace = 0;  // of every byte that came
    void note(std::string_view bytes) { trace = trace * 0x100000001B3ULL + std::hash<std::string_view>{}(bytes); }
};

inline constexpr std::string_view kSimAppId = "app";
inline constexpr std::string_view kSimAppKey = "key";
inline constexpr std::string_view kSimAppSecret = "secret";

class SimClient {
public:
    enum class Kind : std::uint8_t { pusher, feed, echo };

    SimClient(SimScene& scene, std::uint64_t id, Kind kind, std::shared_ptr<FakeConnection> connection,
              std::string feed_channel = {}, bool asks_gaps = false);

    // What it can be told.

    /// Reads and understands up to `most` bytes.
    void read(std::size_t most);
    /// Puts up to `most` of its bytes on the wire.
    void write(std::size_t most);
    void subscribe(const std::string& channel);
    /// In presence channels it is this user; some share one.
    [[nodiscard]] std::string user_id() const { return user_of(id_); }
    [[nodiscard]] static std::string user_of(std::uint64_t id) { return std::to_string(id % kUsers); }
    void unsubscribe(const std::string& channel);
    /// Sends a client event to a private channel it is in.
    void client_event(const std::string& channel, std::string_view padding);
    /// Signs in as a user, who is in the user's hidden channel from then on. Only once as another; as the same again and again.
    /// `more` stands as it is behind the other members of user_data.
    void sign_in(const std::string& user, const std::vector<std::string>& watchlist, const std::string& more = {});
    /// As somebody else, which is refused.
    void sign_in_raw(const std::string& user);
    /// Sends what an echo endpoint must send back.
    void shout(const std::string& text);
    void ping();
    void pusher_ping();
    /// As it comes, for those who misbehave.
    void send_raw(std::string_view bytes) { out_ += bytes; }
    /// Cuts frames of text messages from now on into pieces of at most this many bytes; 0: not.
    void fragment(std::size_t bytes) { fragment_bytes_ = bytes; }
    void close_with_frame(unsigned code);
    void finish();
    void reset();
    /// A text message.
    void say(std::string_view json);

    [[nodiscard]] std::uint64_t id() const { return id_; }
    [[nodiscard]] Kind kind() const { return kind_; }
    [[nodiscard]] const std::string& socket_id() const { return socket_id_; }
    /// The handshake is done and it has not begun to leave.
    [[nodiscard]] bool open() const { return established_ && !leaving_ && !gone_; }
    [[nodiscard]] bool upgraded() const { return upgraded_; }
    [[nodiscard]] bool leaving() const { return leaving_; }
    [[nodiscard]] bool gone() const { return gone_; }
    [[nodiscard]] bool idle() const {
        return gone_ || (out_.empty() && connection_->outbound.empty() && connection_->inbound.empty());
    }
    [[nodiscard]] std::size_t unsent() const { return out_.size(); }
    [[nodiscard]] FakeConnection& connection() const { return *connection_; }
    [[nodiscard]] SimSubscription& in(const std::string& channel) { return channels_[channel]; }
    [[nodiscard]] std::map<std::string, SimSubscription>& channels() { return channels_; }
    [[nodiscard]] int close_code() const { return close_code_; }
    [[nodiscard]] int status() const { return status_; }
    [[nodiscard]] std::size_t errors() const { return errors_; }
    /// As whom it signs in; empty if it does not.
    [[nodiscard]] const std::string& user() const { return user_; }
    [[nodiscard]] const std::vector<std::string>& watchlist() const { return watchlist_; }
    /// Sign-ins that were answered with success.
    [[nodiscard]] std::size_t sign_ins() const { return sign_ins_; }
    /// Of those it watches, who is online as far as it was told.
    [[nodiscard]] const std::map<std::string, bool>& knows() const { return knows_; }
    [[nodiscard]] std::size_t watchlist_events() const { return watchlist_events_; }
    [[nodiscard]] std::size_t pongs() const { return pongs_; }
    [[nodiscard]] std::size_t pings() const { return pings_; }
    /// Echoes that are due.
    [[nodiscard]] std::size_t echoes_due() const { return echoes_.size(); }
    [[nodiscard]] const std::vector<std::string>& log() const { return log_; }
    /// Publications received, in order of arrival.
    [[nodiscard]] const std::vector<std::uint64_t>& numbers() const { return numbers_; }

    std::size_t reads_at_once = 4096;  // bytes; 0 = it has stopped reading
    bool rude = false;                 // errors and being closed is what it gets
    bool keeps_log = false;
    bool answers_pings = true;

    static constexpr std::uint64_t kUsers = 5;

private:
    [[nodiscard]] std::string channel_data() const;
    void understand_http();
    void understand_frames();
    void understand(const ServerFrame& frame);
    void message(const std::string& text);
    void confirmed(const std::string& channel, const std::string& data);
    void protocol_event(const std::string& event, const JsonObject& object);
    void signed_in(const std::string& user_data);
    void watchlist_told(const std::string& data);
    [[nodiscard]] std::string signin_text(const std::string& user, const std::string& more) const;
    void delivered(const std::string& channel, std::string_view data, bool json);
    void gap(const std::string& channel, std::size_t count);
    void depart();

    SimScene& scene_;
    std::uint64_t id_;
    Kind kind_;
    bool asks_gaps_;
    std::shared_ptr<FakeConnection> connection_;
    std::string feed_channel_;
    std::string out_;
    HttpReader http_;
    FrameReader frames_;
    bool upgraded_ = false;
    bool established_ = false;
    bool leaving_ = false;
    bool gone_ = false;
    bool close_sent_ = false;
    int close_code_ = -1;  // the server's; -1 = no close frame came
    int own_code_ = -1;    // that it sent itself
    int status_ = 0;
    std::size_t errors_ = 0;
    std::string user_;
    std::vector<std::string> watchlist_;
    std::size_t sign_ins_ = 0;
    std::map<std::string, bool> knows_;
    std::size_t watchlist_events_ = 0;
    std::size_t pongs_ = 0;
    std::size_t pings_ = 0;
    std::size_t fragment_bytes_ = 0;
    std::string socket_id_;
    std::map<std::string, SimSubscription> channels_;
    std::vector<std::string> log_;
    std::vector<std::uint64_t> numbers_;
    std::deque<std::string> echoes_;
};

class SimPublisher {
public:
    struct Event {
        std::vector<std::string> channels;
        std::string padding;
        Priority priority = Priority::normal;
        const SimClient* excluded = nullptr;
    };

    /// By requests, each answered; or by a stream of messages over a publisher WebSocket, which are never refused. `figures`
    /// publishes nothing: it asks the metrics port.
    enum class Mode : std::uint8_t { requests, stream, figures };

    SimPublisher(SimScene& scene, std::uint64_t id, std::shared_ptr<FakeConnection> connection,
                 Mode mode = Mode::requests);

    void publish(const Event& event);
    void batch(const std::vector<Event>& events);
    /// Has all connections of a user closed.
    void terminate(const std::string& user);
    /// Publishes under an idempotency key; repeat() sends the very same again, over this connection.
    void publish_keyed(const Event& event);
    void repeat(const SimPublisher& publisher);
    [[nodiscard]] bool has_keyed() const { return !keyed_body_.empty(); }
    /// Asks for health, metrics and the like.
    void ask_figures(Seeded& dice);
    /// Asks for channels: for one by its name, or for all whose names begin so.
    void ask_channel(const std::string& channel);
    void ask_channels(const std::string& prefix);
    /// A request whose answer is some error.
    void misbehave(Seeded& dice);
    void read(std::size_t most);
    void write(std::size_t most);
    void finish();
    void reset();

    [[nodiscard]] std::uint64_t id() const { return id_; }
    /// Requests that wait for an answer, or messages that are not in the order of all their channels yet.
    [[nodiscard]] std::size_t unanswered();
    [[nodiscard]] Mode mode() const { return mode_; }
    [[nodiscard]] std::size_t unsent() const { return out_.size(); }
    [[nodiscard]] std::uint64_t acknowledged() const { return acknowledged_; }
    [[nodiscard]] bool gone() const { return gone_; }
    [[nodiscard]] bool idle() const {
        return gone_ || (out_.empty() && connection_->outbound.empty() && connection_->inbound.empty());
    }
    [[nodiscard]] FakeConnection& connection() const { return *connection_; }
    [[nodiscard]] const std::vector<int>& statuses() const { return statuses_; }
    /// Of the last answer.
    [[nodiscard]] const std::string& body() const { return body_; }

    bool rude = false;  // being closed is what it gets

private:
    struct Request {
        std::vector<std::uint64_t> numbers;
        bool bad = false;
        bool question = false;
        bool keyed = false;  // what is refused may be published by the next that brings it
    };
    std::string describe(const Event& event, bool in_batch, Request& request);
    [[nodiscard]] std::string sign(std::string_view method, const std::string& path, const std::string& query) const;
    void post(std::string_view what, const std::string& body);
    void get(const std::string& path, const std::string& prefix);
    void upgrade();
    void answered(const HttpAnswer& answer);
    void understand_frames();
    void depart();

    SimScene& scene_;
    std::uint64_t id_;
    std::shared_ptr<FakeConnection> connection_;
    Mode mode_;
    std::string out_;
    HttpReader http_;
    FrameReader frames_;
    bool upgraded_ = false;
    bool turned_away_ = false;  // the upgrade was refused: what followed it is not HTTP
    std::uint64_t said_ = 0;    // messages of the stream
    std::uint64_t acknowledged_ = 0;
    std::deque<Request> waiting_;  // without an answer; of a stream those that are not everywhere in order
    std::vector<int> statuses_;
    std::string body_;
    std::string keyed_body_;
    Request keyed_;
    bool gone_ = false;
};

}  // namespace spillway::test
