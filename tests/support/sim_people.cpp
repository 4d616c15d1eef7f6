// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "sim_people.h"

#include <algorithm>

#include "crypto/digest.h"

namespace spillway::test {
namespace {

std::string upgrade_request(std::string_view target) {
    std::string out = "GET ";
    out.append(target).append(
        " HTTP/1.1\r\nHost: spillway.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
    return out;
}

std::string_view name_of(Priority priority) { return to_string(priority); }

constexpr std::string_view kPing = "are you there";

bool is_presence(std::string_view channel) { return channel.starts_with("presence-"); }
bool is_cache(std::string_view channel) {
    return channel.starts_with("cache-") || channel.starts_with("private-cache-") ||
           channel.starts_with("presence-cache-");
}

/// The texts of `["a","b"]`.
std::set<std::string> read_ids(const std::string& array) {
    std::set<std::string> ids;
    std::size_t count = 0;
    for (std::size_t from = array.find('"'); from != std::string::npos; from = array.find('"', from)) {
        const std::size_t to = array.find('"', from + 1);
        ids.insert(array.substr(from + 1, to - from - 1));
        from = to + 1;
        ++count;
    }
    sim_check(ids.size() == count, "lists every member once");
    return ids;
}

}  // namespace

// ---- clients

SimClient::SimClient(SimScene& scene, std::uint64_t id, Kind kind, std::shared_ptr<FakeConnection> connection,
                     std::string feed_channel, bool asks_gaps)
    : scene_(scene),
      id_(id),
      kind_(kind),
      asks_gaps_(asks_gaps),
      connection_(std::move(connection)),
      feed_channel_(std::move(feed_channel)) {
    if (kind == Kind::pusher) {
        out_ =
            upgrade_request(std::string("/app/key?protocol=7&client=sim&version=1.0") + (asks_gaps ? "&gaps=1" : ""));
        return;
    }
    if (kind == Kind::echo) {
        out_ = upgrade_request("/echo");
        return;
    }
    std::string target = "/feed/" + feed_channel_ + "?key=key";
    if (feed_channel_.starts_with("private-"))
        target += "&auth=key:" + crypto::hmac_sha256_hex(kSimAppSecret, {"feed:", feed_channel_});
    if (asks_gaps) target += "&gaps=1";
    out_ = upgrade_request(target);
    channels_[feed_channel_].state = SimSubscription::State::asked;
    channels_[feed_channel_].asked = 1;
}

void SimClient::write(std::size_t most) {
    if (gone_ || out_.empty()) return;
    out_.erase(0, connection_->send(std::string_view(out_).substr(0, most)));
}

void SimClient::read(std::size_t most) {
    if (gone_) return;
    const std::string bytes = connection_->read(most);
    scene_.note(bytes);
    if (upgraded_) {
        frames_.feed(bytes);
    } else {
        http_.feed(bytes);
        understand_http();
    }
    if (upgraded_) understand_frames();
    if (connection_->over()) depart();
}

void SimClient::depart() {
    if (gone_) return;
    if (!leaving_ && !rude) sim_check(!scene_.calm, "closes no client that behaves");
    connection_->close();
    gone_ = true;
}

void SimClient::understand_http() {
    const auto answer = http_.next();
    if (!answer) return;
    status_ = answer->status;
    if (status_ != 101) {
        sim_check(!scene_.calm || rude, "upgrades clients that behave");
        leaving_ = true;
        connection_->finish();
        return;
    }
    sim_check(answer->headers.at("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
              "proves that it read the key");
    upgraded_ = true;
    if (kind_ == Kind::echo) established_ = true;
    if (kind_ == Kind::feed) {
        established_ = true;
        channels_[feed_channel_].state = SimSubscription::State::in;
        // A feed is not told that there is none.
        channels_[feed_channel_].confirmed(is_cache(feed_channel_) && channels_[feed_channel_].found_kept());
        channels_[feed_channel_].told_exactly = true;
    }
    frames_.feed(http_.take_rest());
}

void SimClient::understand_frames() {
    while (const auto frame = frames_.next()) understand(*frame);
}

void SimClient::understand(const ServerFrame& frame) {
    switch (frame.opcode) {
        case opcode::kPing:
            ++pings_;
            if (!close_sent_ && answers_pings) out_ += client_frame(opcode::kPong, frame.payload);
            break;
        case opcode::kPong:
            sim_check(frame.payload == kPing || rude, "answers a ping with what was in it");
            ++pongs_;
            break;
        case opcode::kClose:
            sim_check(close_code_ == -1, "sends one close frame");
            close_code_ = frame.payload.size() < 2 ? 0
                                                   : static_cast<unsigned char>(frame.payload[0]) * 256 +
                                                         static_cast<unsigned char>(frame.payload[1]);
            if (!leaving_ && !rude) sim_check(!scene_.calm, "closes no client that behaves");
            sim_check(close_code_ == own_code_ || close_code_ > 1000 || rude,
                      "answers a close with its code, and says why it closes");
            if (!close_sent_) close_with_frame(1000);
            break;
        case opcode::kText:
            if (kind_ == Kind::echo) {
                if (rude) break;
                sim_check(!echoes_.empty() && echoes_.front() == frame.payload, "echoes what was said, in order");
                echoes_.pop_front();
                break;
            }
            if (frame.payload.starts_with(R"({"event":"spillway:gap")")) {
                const JsonObject notice = read_json_object(frame.payload);
                gap(field(notice, "channel"), std::stoul(field(read_json_object(field(notice, "data")), "count")));
            } else if (kind_ == Kind::feed) {
                delivered(feed_channel_, frame.payload, frame.payload.starts_with('"'));
            } else {
                message(frame.payload);
            }
            break;
        default: sim_check(false, "sends text only");
    }
}

void SimClient::message(const std::string& text) {
    const JsonObject object = read_json_object(text);
    const std::string event = field(object, "event");
    if (keeps_log) log_.push_back(text);
    if (!established_ && event == "pusher:connection_established") {
        socket_id_ = field(read_json_object(field(object, "data")), "socket_id");
        established_ = true;
        return;
    }
    if (event == "pusher:error" || event == "pusher:subscription_error") {
        ++errors_;
        if (event == "pusher:subscription_error" && !rude) {
            SimSubscription& refused = channels_[field(object, "channel")];
            if (refused.state == SimSubscription::State::asked) refused.refused();
        }
        sim_check(!scene_.calm || rude, "has no fault to find with clients that behave: " + text);
        return;
    }
    sim_check(established_, "says pusher:connection_established first");
    if (event == "pusher:pong") {
        ++pongs_;
    } else if (event == "pusher:signin_success") {
        signed_in(field(read_json_object(field(object, "data")), "user_data"));
    } else if (event == "pusher_internal:watchlist_events") {
        watchlist_told(field(object, "data"));
    } else if (event == "pusher_internal:subscription_succeeded") {
        confirmed(field(object, "channel"), field(object, "data"));
    } else if (event.starts_with("pusher")) {
        protocol_event(event, object);
    } else {
        if (event == "client-event" && is_presence(field(object, "channel")))
            sim_check(field(object, "user_id") == user_of(scene_.model.at(SimModel::number_in(text)).source),
                      "names the member that a client event is of");
        sim_check(event == "event" || event == "client-event", "relays events under their own names");
        delivered(field(object, "channel"), field(object, "data"), false);
    }
}

void SimClient::confirmed(const std::string& channel, const std::string& data) {
    SimSubscription& subscription = channels_[channel];
    sim_check(subscription.state != SimSubscription::State::out || subscription.hasty,
              "confirms only what was asked for");
    if (subscription.state == SimSubscription::State::asked) subscription.state = SimSubscription::State::in;
    subscription.confirmed(is_cache(channel));
    subscription.told = 0;
    subscription.told_exactly = !subscription.hasty;
    if (!is_presence(channel)) return;
    const JsonObject presence = read_json_object(field(read_json_object(data), "presence"));
    std::set<std::string> ids = read_ids(field(presence, "ids"));
    sim_check(ids.contains(user_id()), "lists the joiner among the members");
    sim_check(field(presence, "count") == std::to_string(ids.size()), "counts the members that it lists");
    const JsonObject hash = read_json_object(field(presence, "hash"));
    sim_check(hash.size() == ids.size(), "has an entry for every member");
    for (const std::string& id : ids) sim_check(hash.contains(id), "has an entry for every member");
    subscription.told_members(std::move(ids));
}

void SimClient::protocol_event(const std::string& event, const JsonObject& object) {
    SimSubscription& subscription = channels_[field(object, "channel")];
    const JsonObject data = read_json_object(field(object, "data"));
    if (event == "pusher:cache_miss") {
        sim_check(field(object, "data") == "{}", "tells of a miss with {}");
        subscription.received_kept(0);
    } else if (event == "pusher_internal:member_added" || event == "pusher_internal:member_removed") {
        sim_check(field(data, "user_id") != user_id(), "tells nobody that he came or went himself");
        subscription.told_member(field(data, "user_id"), event == "pusher_internal:member_added");
    } else {
        sim_check(event == "pusher_internal:subscription_count" && !is_presence(field(object, "channel")),
                  "knows no other events: " + event);
        subscription.told_count(std::stoull(field(data, "subscription_count")));
    }
}

void SimClient::gap(const std::string& channel, std::size_t count) {
    sim_check(asks_gaps_, "tells of gaps only those who asked");
    sim_check(count != 0, "tells of no gap where there is none");
    SimSubscription& subscription = channels_[channel];
    sim_check(subscription.confirmations() != 0, "tells of gaps only in channels that one has been in");
    subscription.told += count;
    scene_.told += count;
}

void SimClient::delivered(const std::string& channel, std::string_view data, bool json) {
    const std::uint64_t number = SimModel::number_in(data);
    if (channels_[channel].expects_kept()) {
        const std::string& text = scene_.model.at(number).data;
        sim_check(json ? data == json_string(text) : data == text, "keeps data byte for byte");
        channels_[channel].received_kept(number);
        return;
    }
    const Publication& publication = scene_.model.at(number);
    sim_check(json ? data == json_string(publication.data) : data == publication.data, "delivers data byte for byte");
    SimSubscription& subscription = channels_[channel];
    const std::size_t missing = subscription.received(scene_.model, channel, id_, number);
    scene_.gaps += missing;
    if (asks_gaps_ && subscription.told_exactly)
        sim_check(
            subscription.told == missing,
            "tells whoever asked of exactly the messages lost, where they are missing: " + std::to_string(missing));
    subscription.told = 0;
    ++scene_.deliveries;
    numbers_.push_back(number);
}

void SimClient::say(std::string_view json) {
    if (fragment_bytes_ == 0 || json.size() <= fragment_bytes_) {
        out_ += client_frame(opcode::kText, json);
        return;
    }
    for (std::size_t at = 0; at < json.size(); at += fragment_bytes_) {
        const std::string_view piece = json.substr(at, fragment_bytes_);
        out_ += client_frame(at == 0 ? opcode::kText : opcode::kContinuation, piece, at + piece.size() == json.size());
        if (at == 0) out_ += client_frame(opcode::kPong, "between fragments");
    }
}

void SimClient::subscribe(const std::string& channel) {
    channels_[channel].state = SimSubscription::State::asked;
    ++channels_[channel].asked;
    std::string json = R"({"event":"pusher:subscribe","data":{"channel":)" + json_string(channel);
    if (is_presence(channel))
        json += ",\"channel_data\":" + json_string(channel_data()) + ",\"auth\":\"key:" +
                crypto::hmac_sha256_hex(kSimAppSecret, {socket_id_, ":", channel, ":", channel_data()}) + "\"";
    if (channel.starts_with("private-"))
        json += ",\"auth\":\"key:" + crypto::hmac_sha256_hex(kSimAppSecret, {socket_id_, ":", channel}) + "\"";
    say(json + "}}");
}

std::string SimClient::channel_data() const {
    // Some say who they are with a number, some with a string; each client has something else to tell.
    const std::string id = id_ % 2 == 0 ? user_id() : json_string(user_id());
    return R"({"user_id":)" + id + R"(,"user_info":{"client":)" + std::to_string(id_) + "}}";
}

void SimClient::unsubscribe(const std::string& channel) {
    SimSubscription& subscription = channels_[channel];
    if (subscription.state == SimSubscription::State::asked) subscription.hasty = true;
    subscription.state = SimSubscription::State::leaving;
    subscription.leaves();
    subscription.told_exactly = false;  // what is lost of that which is under way is not told
    say(R"({"event":"pusher:unsubscribe","data":{"channel":)" + json_string(channel) + "}}");
}

std::string SimClient::signin_text(const std::string& user, const std::string& more) const {
    std::string user_data = R"({"id":)" + json_string(user) + ",\"watchlist\":[";
    for (const std::string& watched : watchlist_)
        user_data += (&watched == &watchlist_.front() ? "" : ",") + json_string(watched);
    user_data += "]" + more + "}";
    return R"({"event":"pusher:signin","data":{"auth":"key:)" +
           crypto::hmac_sha256_hex(kSimAppSecret, {socket_id_, "::user::", user_data}) +
           "\",\"user_data\":" + json_string(user_data) + "}}";
}

void SimClient::sign_in(const std::string& user, const std::vector<std::string>& watchlist, const std::string& more) {
    if (user_.empty()) {
        user_ = user;
        watchlist_ = watchlist;
        SimSubscription& hidden = channels_["#server-to-user-" + user];
        hidden.state = SimSubscription::State::asked;
        hidden.asked = 1;
    }
    say(signin_text(user, more));
}

void SimClient::sign_in_raw(const std::string& user) { say(signin_text(user, {})); }

void SimClient::signed_in(const std::string& user_data) {
    sim_check(field(read_json_object(user_data), "id") == user_, "signs in only as whom one asks");
    if (++sign_ins_ != 1) return;
    SimSubscription& hidden = channels_["#server-to-user-" + user_];
    hidden.state = SimSubscription::State::in;
    hidden.confirmed(false);
}

void SimClient::watchlist_told(const std::string& data) {
    sim_check(sign_ins_ != 0, "tells of a watchlist after signin_success");
    const bool first = watchlist_events_++ == 0;
    std::size_t told = 0;
    for (const bool online : {true, false}) {
        const std::string group = std::string(R"({"name":")") + (online ? "online" : "offline") + R"(","user_ids":[)";
        std::size_t at = data.find(group);
        if (at == std::string::npos) continue;
        for (at += group.size(); data[at] != ']'; ++told) {
            const std::size_t end = data.find('"', at + 1);
            const std::string user = data.substr(at + 1, end - at - 1);
            sim_check(std::ranges::find(watchlist_, user) != watchlist_.end(), "tells only of whom one watches");
            sim_check(first != knows_.contains(user), "tells everybody's state at once, before any change of it");
            sim_check(first || knows_.at(user) != online, "tells each coming and going once, in order");
            knows_[user] = online;
            at = data[end + 1] == ',' ? end + 2 : end + 1;
        }
    }
    sim_check(told == (first ? watchlist_.size() : 1), "tells the states of all, then each change by itself");
}

void SimClient::client_event(const std::string& channel, std::string_view padding) {
    Publication& publication = scene_.model.create(id_, {channel}, padding);
    publication.excluded = id_;
    say(R"({"event":"client-event","channel":)" + json_string(channel) + ",\"data\":" + json_string(publication.data) +
        "}");
}

void SimClient::shout(const std::string& text) {
    echoes_.push_back(text);
    say(text);
}

void SimClient::ping() { out_ += client_frame(opcode::kPing, kPing); }

void SimClient::pusher_ping() { say(R"({"event":"pusher:ping","data":{}})"); }

void SimClient::close_with_frame(unsigned code) {
    out_ += client_frame(opcode::kClose, code == 0 ? std::string() : close_payload(code));
    own_code_ = static_cast<int>(code);
    close_sent_ = leaving_ = true;
}

void SimClient::finish() {
    leaving_ = true;
    connection_->finish();
}

void SimClient::reset() {
    leaving_ = gone_ = true;
    connection_->reset();
}

// ---- publishers

SimPublisher::SimPublisher(SimScene& scene, std::uint64_t id, std::shared_ptr<FakeConnection> connection, Mode mode)
    : scene_(scene), id_(id), connection_(std::move(connection)), mode_(mode) {
    if (mode == Mode::stream) upgrade();
}

std::string SimPublisher::describe(const Event& event, bool in_batch, Request& request) {
    Publication& publication = scene_.model.create(id_, event.channels, event.padding);
    publication.priority = event.priority;
    request.numbers.push_back(publication.number);
    std::string json = R"({"name":"event","data":)" + json_string(publication.data);
    if (in_batch) {
        json += ",\"channel\":" + json_string(event.channels.front());
    } else {
        json += ",\"channels\":[";
        for (std::size_t i = 0; i < event.channels.size(); ++i)
            json += (i == 0 ? "" : ",") + json_string(event.channels[i]);
        json += "]";
    }
    if (event.priority != Priority::normal)
        json.append(",\"priority\":\"").append(name_of(event.priority)).append("\"");
    if (event.excluded != nullptr) {
        publication.excluded = event.excluded->id();
        json += ",\"socket_id\":" + json_string(event.excluded->socket_id());
    }
    return json + "}";
}

void SimPublisher::publish(const Event& event) {
    Request request;
    const std::string body = describe(event, false, request);
    waiting_.push_back(std::move(request));
    post("events", body);
}

void SimPublisher::publish_keyed(const Event& event) {
    keyed_ = {};
    keyed_.keyed = true;
    keyed_body_ = describe(event, false, keyed_);
    Publication& publication = scene_.model.at(keyed_.numbers.front());
    // Whichever copy comes first is published, so it keeps no order with others of any connection.
    publication.source = (std::uint64_t{1} << 60) + publication.number;
    keyed_body_.insert(1, "\"idempotency_key\":\"key-" + std::to_string(publication.number) + "\",");
    repeat(*this);
}

void SimPublisher::repeat(const SimPublisher& publisher) {
    waiting_.push_back(publisher.keyed_);
    post("events", publisher.keyed_body_);
}

void SimPublisher::batch(const std::vector<Event>& events) {
    Request request;
    std::string body = "{\"batch\":[";
    for (std::size_t i = 0; i < events.size(); ++i) body += (i == 0 ? "" : ",") + describe(events[i], true, request);
    waiting_.push_back(std::move(request));
    post("batch_events", body + "]}");
}

void SimPublisher::terminate(const std::string& user) {
    waiting_.emplace_back();
    post("users/" + user + "/terminate_connections", "{}");
}

void SimPublisher::ask_figures(Seeded& dice) {
    constexpr std::string_view kPaths[] = {"/healthz", "/readyz", "/metrics", "/stats", "/"};
    waiting_.emplace_back();
    out_.append("GET ").append(kPaths[dice.below(5)]).append(" HTTP/1.1\r\nHost: localhost\r\n\r\n");
}

void SimPublisher::get(const std::string& path, const std::string& prefix) {
    waiting_.push_back({{}, false, true});
    std::string query = "auth_key=";
    query.append(kSimAppKey).append("&auth_timestamp=").append(std::to_string(scene_.unix_seconds));
    query.append("&auth_version=1.0");
    if (!prefix.empty()) query.append("&filter_by_prefix=").append(prefix);
    query.append("&info=subscription_count");
    out_ += "GET " + sign("GET", path, query) + " HTTP/1.1\r\nHost: s\r\n\r\n";
}

void SimPublisher::ask_channel(const std::string& channel) { get("/apps/app/channels/" + channel, {}); }

void SimPublisher::ask_channels(const std::string& prefix) { get("/apps/app/channels", prefix); }

void SimPublisher::misbehave(Seeded& dice) {
    if (mode_ == Mode::stream) return;
    waiting_.push_back({{}, true});
    switch (dice.below(4)) {
        case 0: post("events", "{\"name\":\"event\"}"); break;
        case 1: post("events", "not JSON"); break;
        case 2: out_ += "POST /apps/app/events?auth_key=key HTTP/1.1\r\nHost: s\r\nContent-Length: 2\r\n\r\n{}"; break;
        default: out_ += "GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n"; break;
    }
}

std::string SimPublisher::sign(std::string_view method, const std::string& path, const std::string& query) const {
    return path + "?" + query +
           "&auth_signature=" + crypto::hmac_sha256_hex(kSimAppSecret, {method, "\n", path, "\n", query});
}

void SimPublisher::upgrade() {
    std::string query = "ack=3&auth_key=";
    query.append(kSimAppKey)
        .append("&auth_timestamp=")
        .append(std::to_string(scene_.unix_seconds))
        .append("&auth_version=1.0");
    out_ = upgrade_request(sign("GET", "/apps/app/publish", query));
}

void SimPublisher::post(std::string_view what, const std::string& body) {
    if (mode_ == Mode::stream) {
        ++said_;
        out_ += client_frame(opcode::kText, body);
        return;
    }
    std::string path = "/apps/";
    path.append(kSimAppId).append("/").append(what);
    std::string query = "auth_key=";
    query.append(kSimAppKey).append("&auth_timestamp=").append(std::to_string(scene_.unix_seconds));
    query.append("&auth_version=1.0&body_md5=").append(crypto::md5_hex(body));
    out_ += "POST " + sign("POST", path, query) +
            " HTTP/1.1\r\nHost: spillway.test\r\nContent-Type: application/json\r\nContent-Length: " +
            std::to_string(body.size()) + "\r\n\r\n" + body;
}

void SimPublisher::write(std::size_t most) {
    if (gone_ || out_.empty()) return;
    out_.erase(0, connection_->send(std::string_view(out_).substr(0, most)));
}

void SimPublisher::read(std::size_t most) {
    if (gone_) return;
    const std::string bytes = connection_->read(most);
    scene_.note(bytes);
    if (upgraded_) {
        frames_.feed(bytes);
    } else {
        http_.feed(bytes);
        while (const auto answer = http_.next()) answered(*answer);
    }
    if (upgraded_) understand_frames();
    if (connection_->over()) depart();
}

void SimPublisher::answered(const HttpAnswer& answer) {
    statuses_.push_back(answer.status);
    body_ = answer.body;
    // Signed long ago, by the clock on the wall; or the request took too long to come.
    const bool outdated =
        !scene_.calm && ((answer.status == 401 && answer.body.starts_with("auth_timestamp")) || answer.status == 408);
    if (mode_ == Mode::stream) {
        const bool follows = turned_away_ && answer.status == 400;
        sim_check(answer.status == 101 || outdated || follows || (answer.status == 503 && !scene_.calm),
                  "upgrades publishers: " + std::to_string(answer.status) + " " + answer.body);
        turned_away_ = answer.status != 101;
        upgraded_ = answer.status == 101;
        if (upgraded_) frames_.feed(http_.take_rest());
        return;
    }
    // Refused before it asked anything: there were too many.
    const bool turned_away = answer.status == 503 && answer.body.empty();
    sim_check(!waiting_.empty() || outdated || turned_away, "answers only what was asked");
    if (answer.status == 408 || turned_away) return;
    const Request request = std::move(waiting_.front());
    waiting_.pop_front();
    if (request.bad) {
        sim_check((answer.status >= 400 && answer.status < 500) || (answer.status == 503 && !scene_.calm),
                  "refuses bad requests");
        return;
    }
    if (request.question) {
        sim_check(answer.status == 200 || outdated || (answer.status == 503 && !scene_.calm), "answers questions");
        if (answer.status == 200) static_cast<void>(read_json_object(answer.body));
        return;
    }
    sim_check(answer.status == 200 || answer.status == 503 || outdated,
              "answers good publications with 200 or 503: " + answer.body);
    for (const std::uint64_t number : request.numbers) {
        if (answer.status == 200) {
            scene_.model.acknowledged(number);
        } else if (!request.keyed) {
            scene_.model.refused(number);
        }
    }
}

void SimPublisher::understand_frames() {
    while (const auto frame = frames_.next()) {
        if (frame->opcode == opcode::kPing) out_ += client_frame(opcode::kPong, frame->payload);
        if (frame->opcode == opcode::kClose) {
            sim_check(!scene_.calm || rude, "closes no publisher that behaves");
            out_ += client_frame(opcode::kClose, frame->payload);
        }
        if (frame->opcode != opcode::kText) continue;
        const JsonObject object = read_json_object(frame->payload);
        sim_check(object.contains("ack"), "takes every good message of a publisher: " + frame->payload);
        acknowledged_ += 3;
        sim_check(field(object, "ack") == std::to_string(acknowledged_) && acknowledged_ <= said_,
                  "acknowledges every third message once");
    }
}

std::size_t SimPublisher::unanswered() {
    if (mode_ != Mode::stream) return waiting_.size();
    std::erase_if(waiting_, [this](const Request& request) {
        return std::ranges::all_of(request.numbers, [this](std::uint64_t number) {
            const Publication& publication = scene_.model.at(number);
            return publication.sequenced == publication.channels.size();
        });
    });
    return waiting_.size();
}

void SimPublisher::depart() {
    if (gone_) return;
    connection_->close();
    gone_ = true;
    for (const Request& request : waiting_)
        for (const std::uint64_t number : request.numbers)
            if (!request.keyed) scene_.model.at(number).fate = Publication::Fate::lost;
}

void SimPublisher::finish() { connection_->finish(); }

void SimPublisher::reset() {
    connection_->reset();
    depart();
}

}  // namespace spillway::test
