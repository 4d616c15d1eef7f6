// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0

#include "plot.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>

namespace spillway::load {
namespace {

constexpr double kWidth = 800, kHeight = 420, kLeft = 70, kRight = 20, kTop = 40, kBottom = 50;

struct Line {
    const char* name;
    const char* color;
    double Point::* value;
};
constexpr Line kLines[] = {
    {"p50", "#2b7bba", &Point::p50}, {"p95", "#e08214", &Point::p95}, {"p99", "#b2182b", &Point::p99}};

std::string number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", value);
    return text;
}

std::string label(double x, double y, const std::string& anchor, const std::string& text) {
    return "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" text-anchor=\"" + anchor + "\">" + text + "</text>\n";
}

/// From the data to the picture.
struct Frame {
    double x_max = 1;
    int low = 0;  // powers of ten, in milliseconds
    int high = 1;

    explicit Frame(const std::vector<Point>& points) {
        double least = 1e300;
        double most = 0;
        for (const Point& point : points) {
            x_max = std::max(x_max, point.x);
            for (const Line& line : kLines) {
                const double value = point.*line.value;
                if (!std::isfinite(value) || value <= 0) continue;
                least = std::min(least, value);
                most = std::max(most, value);
            }
        }
        if (most == 0) return;
        low = static_cast<int>(std::floor(std::log10(least)));
        high = std::max(low + 1, static_cast<int>(std::ceil(std::log10(most))));
    }
    [[nodiscard]] double x(double value) const { return kLeft + value / x_max * (kWidth - kLeft - kRight); }
    [[nodiscard]] double y(double ms) const {
        return kHeight - kBottom - (std::log10(ms) - low) / (high - low) * (kHeight - kTop - kBottom);
    }
};

std::string grid(const Frame& frame) {
    std::string svg = "<g stroke=\"#ddd\">\n";
    std::string labels;
    for (int power = frame.low; power <= frame.high; ++power) {
        const double y = frame.y(std::pow(10, power));
        svg += "<line x1=\"" + number(kLeft) + "\" x2=\"" + number(kWidth - kRight) + "\" y1=\"" + number(y) +
               "\" y2=\"" + number(y) + "\"/>\n";
        labels += label(kLeft - 6, y + 4, "end", number(std::pow(10, power)) + " ms");
    }
    for (int tick = 0; tick <= 4; ++tick)
        labels +=
            label(frame.x(frame.x_max * tick / 4), kHeight - kBottom + 18, "middle", number(frame.x_max * tick / 4));
    return svg + "</g>\n" + labels;
}

std::string curve(const Frame& frame, const std::vector<Point>& points, const Line& line) {
    std::string path;
    for (const Point& point : points) {
        const double value = point.*line.value;
        if (std::isfinite(value) && value > 0) path += number(frame.x(point.x)) + "," + number(frame.y(value)) + " ";
    }
    return "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"" + std::string(line.color) + "\" points=\"" + path +
           "\"/>\n";
}

}  // namespace

std::string plot_svg(const std::string& title, const std::string& x_title, const std::vector<Point>& points) {
    const Frame frame(points);
    std::string svg =
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + number(kWidth) + " " + number(kHeight) +
        "\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
    svg += grid(frame);
    double legend = kWidth - kRight - 150;
    for (const Line& line : kLines) {
        svg += curve(frame, points, line);
        svg += "<rect x=\"" + number(legend) + "\" y=\"14\" width=\"10\" height=\"10\" fill=\"" + line.color + "\"/>\n";
        svg += label(legend + 14, 23, "start", line.name);
        legend += 50;
    }
    svg += label(kLeft, 23, "start", title) + label((kLeft + kWidth - kRight) / 2, kHeight - 10, "middle", x_title);
    return svg + "</svg>\n";
}

bool write_plot(const std::string& file, const Outcome& outcome) {
    std::ofstream out(file);
    const std::string who =
        std::to_string(outcome.clients) + " subscribers, " + std::to_string(outcome.channels) + " channels";
    const bool search = outcome.mode == Mode::search;
    out << plot_svg(outcome.title + ": " + who + ", latency of a delivery",
                    search ? "deliveries per second" : "seconds", outcome.series);
    return out.flush().good();
}

}  // namespace spillway::load
