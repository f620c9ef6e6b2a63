/* A library in the place of NVIDIA's management library (libnvidia-ml.so.1), for machines without
 * a GPU: the real Python binding loads it. Our own code, no part of NVIDIA's.
 *
 * The file named by NVML_STANDIN holds its boards, settings and faults, a line each (standin.py
 * writes it); it is read again whenever it changes. The power of a board follows a load file, which
 * whatever plays the GPU appends to: all processes see the same truth, on CLOCK_MONOTONIC.
 *
 *   device UUID LOADFILE STATE      STATE: ok, lost, denied (one line a board, in their order)
 *   set NAME VALUE                  settings below
 *   fault WHAT CODE FROM FOR        every call (0) or one field or function gives an NVML code
 *   read FIELD VALUE FROM FOR       a field reads VALUE
 *   stale 0 0 FROM FOR              the sensor does not move
 *   hang 0 0 FROM FOR               a call returns FOR seconds later
 *   reset 0 0 FROM FOR              the energy counter has started anew
 * FROM and FOR are seconds from the setting start_s (CLOCK_MONOTONIC).
 *
 *   cc -O2 -shared -fPIC -o libnvidia-ml.so.1 nvml.c -lm      (-DOLD_DRIVER: without event reasons)
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

typedef unsigned ret;
enum { OK = 0, UNINITIALIZED = 1, INVALID = 2, NOT_SUPPORTED = 3, NO_PERMISSION = 4, NOT_FOUND = 6, LOST = 15 };

/* ---- settings ---------------------------------------------------------------------------- */

static struct { const char *name; double value, usual; } settings[] = {
    {"start_s", 0, 0},          /* zero of FROM */
    {"period_ms", 0, 100},      /* between publications */
    {"window_ms", 0, 25},       /* averaged over by the instantaneous field */
    {"average_ms", 0, 1000},    /* by the slow one */
    {"phase_ms", 0, 37},
    {"gain", 0, 1},
    {"counter_gain", 0, 1},
    {"counter_windows", 0, 0},  /* 1: the counter adds up windows, not all of the time */
    {"counter_start_mj", 0, 5e9},
    {"counter_wraps32", 0, 0},
    {"noise", 0, 0.002},        /* relative, of each publication */
    {"quantum_w", 0, 0.001},
    {"idle_w", 0, 75},
    {"limit_w", 0, 700},        /* the enforced limit; what is above is cut and counted */
    {"warming", 0, 0},          /* share of the power that follows the die's temperature */
    {"tau_s", 0, 1},            /* and its time constant */
    {"sm_mhz", 0, 1980},
    {"reasons", 0, 0},
    {"slow_ms", 0, 0},          /* each call takes so long */
    {"mig", 0, 0},
    {"others", 0, 0},           /* processes of others on the board */
    {"init", 0, 0},             /* code of nvmlInit */
    {"vbios", 0, 0},            /* code of nvmlDeviceGetVbiosVersion */
};
#define N_SETTINGS (sizeof settings / sizeof *settings)
#define MOST_FAULTS 64
#define MOST_DEVICES 8

typedef struct { char kind[8]; int what; double value, from, lasts; } fault_t;
typedef struct { char uuid[96], path[512], state[16]; } device_t;
static fault_t faults[MOST_FAULTS];
static device_t devices[MOST_DEVICES];
static int n_faults, n_devices, initialised;

static double get(const char *name) {
    for (size_t i = 0; i < N_SETTINGS; i++)
        if (!strcmp(settings[i].name, name)) return settings[i].value;
    fprintf(stderr, "nvml stand-in: no setting %s\n", name);
    abort();
}

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void read_settings(void) {
    static struct timespec seen;
    const char *path = getenv("NVML_STANDIN");
    struct stat info;
    if (!path || stat(path, &info)) return;
    if (n_devices && info.st_mtim.tv_sec == seen.tv_sec && info.st_mtim.tv_nsec == seen.tv_nsec) return;
    FILE *file = fopen(path, "r");
    if (!file) return;
    seen = info.st_mtim;
    for (size_t i = 0; i < N_SETTINGS; i++) settings[i].value = settings[i].usual;
    n_faults = n_devices = 0;
    char line[800], name[40];
    double value;
    while (fgets(line, sizeof line, file)) {
        device_t d = {{0}, {0}, {0}};
        fault_t f;
        if (sscanf(line, "device %95s %511s %15s", d.uuid, d.path, d.state) == 3 && n_devices < MOST_DEVICES)
            devices[n_devices++] = d;
        else if (sscanf(line, "set %39s %lf", name, &value) == 2) {
            for (size_t i = 0; i < N_SETTINGS; i++)
                if (!strcmp(settings[i].name, name)) settings[i].value = value;
        } else if (sscanf(line, "%7s %d %lf %lf %lf", f.kind, &f.what, &f.value, &f.from, &f.lasts) == 5 &&
                   n_faults < MOST_FAULTS)
            faults[n_faults++] = f;
    }
    fclose(file);
}

/* The fault of a kind that holds now, or none. */
static const fault_t *now_faulty(const char *kind, int what) {
    double t = now_s() - get("start_s");
    for (int i = 0; i < n_faults; i++) {
        const fault_t *f = &faults[i];
        if (!strcmp(f->kind, kind) && f->what == what && t >= f->from && t < f->from + f->lasts) return f;
    }
    return NULL;
}

/* What every call does first; function: an own number beside the fields', for faults of it alone. */
static ret enter(int function) {
    if (!initialised) return UNINITIALIZED;
    read_settings();
    if (get("slow_ms") > 0) usleep((useconds_t)(1000 * get("slow_ms")));
    const fault_t *f = now_faulty("hang", 0);
    if (f) usleep((useconds_t)(1e6 * f->lasts));
    if ((f = now_faulty("fault", 0))) return (ret)f->value;
    if (function && (f = now_faulty("fault", function))) return (ret)f->value;
    return OK;
}
enum { POWER_USAGE = 1001, FIELD_VALUES, CLOCKS, REASONS, MIG_MODE };

/* ---- the truth: power and energy of a board ------------------------------------------------ */

typedef struct { int64_t t; double w; } step_t;
typedef struct { volatile int64_t count; int64_t base; step_t steps[]; } load_t;

/* Energy, warmth and time held by the limit at the start of each step: power between them is
 * w (1 - a) + a v with the warmth v following w with the time constant. */
typedef struct {
    load_t *load;
    double *energy, *warmth, *held;
    int64_t known, room;
} board_t;
static board_t boards[MOST_DEVICES];

static double cut(double w) { return fmin(w, get("limit_w")); }

static double warm_after(double w, double v, double s) { return w + (v - w) * exp(-s / get("tau_s")); }

static double energy_after(double w, double v, double s) {
    double a = get("warming"), tau = get("tau_s");
    return w * s + a * (v - w) * tau * (1 - exp(-s / tau));
}

static board_t *board(int index) {
    board_t *b = &boards[index];
    if (!b->load) {
        int fd = open(devices[index].path, O_RDONLY);
        struct stat info;
        if (fd < 0 || fstat(fd, &info)) return NULL;
        void *map = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_SHARED, fd, 0);
        close(fd);
        if (map == MAP_FAILED) return NULL;
        b->load = map;
    }
    int64_t count = b->load->count;
    if (count > b->room) {
        b->room = 2 * count;
        b->energy = realloc(b->energy, (size_t)b->room * sizeof(double));
        b->warmth = realloc(b->warmth, (size_t)b->room * sizeof(double));
        b->held = realloc(b->held, (size_t)b->room * sizeof(double));
    }
    for (; b->known < count; b->known++) {
        int64_t i = b->known;
        if (i == 0) {
            double s = (b->load->steps[0].t - b->load->base) / 1e9;
            b->energy[0] = s * get("idle_w");
            b->warmth[0] = get("idle_w");
            b->held[0] = 0;
            continue;
        }
        const step_t *step = &b->load->steps[i - 1];
        double s = (step[1].t - step->t) / 1e9, w = cut(step->w);
        b->energy[i] = b->energy[i - 1] + energy_after(w, b->warmth[i - 1], s);
        b->warmth[i] = warm_after(w, b->warmth[i - 1], s);
        b->held[i] = b->held[i - 1] + (step->w > w ? s : 0);
    }
    return b;
}

/* Joules since the load file's base at a time in ms since it, and seconds held by the limit. */
static double energy_at(int index, double ms, double *held) {
    board_t *b = board(index);
    if (held) *held = 0;
    if (!b || b->known == 0) return ms / 1e3 * get("idle_w");
    double t = b->load->base + ms * 1e6;
    int64_t low = 0, high = b->known;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (b->load->steps[middle].t <= t) low = middle + 1;
        else high = middle;
    }
    if (low == 0) return ms / 1e3 * get("idle_w");
    const step_t *step = &b->load->steps[low - 1];
    double s = (t - step->t) / 1e9, w = cut(step->w);
    if (held) *held = b->held[low - 1] + (step->w > w ? s : 0);
    return b->energy[low - 1] + energy_after(w, b->warmth[low - 1], s);
}

/* Now, in ms since the base; 3 ms late, so that steps that are written a little late are seen. */
static double now_ms(int index) {
    board_t *b = board(index);
    return (now_s() * 1e9 - (b ? b->load->base : 0)) / 1e6 - 3;
}

static double mean_w(int index, double end_ms, double window_ms) {
    double e = energy_at(index, end_ms, NULL) - energy_at(index, end_ms - window_ms, NULL);
    return e / (window_ms / 1e3);
}

/* A standard normal number that depends on k alone: the same in every process. */
static double normal(uint64_t k) {
    double u[2];
    uint64_t x = (k + 1) * 0x9E3779B97F4A7C15ULL;
    for (int i = 0; i < 2; i++) {
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
        x ^= x >> 31;
        u[i] = ((double)(x >> 11) + 0.5) / 9007199254740992.0;
        x += 0x9E3779B97F4A7C15ULL;
    }
    return sqrt(-2 * log(u[0])) * cos(2 * M_PI * u[1]);
}

/* ---- the sensor ---------------------------------------------------------------------------- */

static double published_w(int index, double window_ms) {
    double ms = now_ms(index), period = get("period_ms");
    const fault_t *f = now_faulty("stale", 0);
    if (f) ms -= 1e3 * (now_s() - get("start_s") - f->from);
    double tick = floor((ms - get("phase_ms")) / period);
    double w = get("gain") * mean_w(index, tick * period + get("phase_ms"), window_ms);
    w *= 1 + get("noise") * normal((uint64_t)(tick + 1000000));
    return get("quantum_w") * floor(w / get("quantum_w") + 0.5);
}

static unsigned long long counter_mj(int index) {
    double ms = 100 * floor(now_ms(index) / 100), joules = energy_at(index, ms, NULL);
    if (get("counter_windows") > 0) {
        joules = 0;
        for (double t = 100; t <= ms; t += 100) joules += 0.1 * mean_w(index, t, get("window_ms"));
    }
    double mj = 1e3 * joules * get("gain") * get("counter_gain") + get("counter_start_mj");
    const fault_t *f = now_faulty("reset", 0);
    if (f) {
        board_t *b = board(index);
        double at = 1e3 * (get("start_s") + f->from) - (b ? b->load->base / 1e6 : 0);
        mj = 1e3 * (joules - energy_at(index, at, NULL));
    }
    unsigned long long value = (unsigned long long)fmax(mj, 0);
    return get("counter_wraps32") > 0 ? value & 0xFFFFFFFFULL : value;
}

static int busy(int index) { return mean_w(index, now_ms(index), 20) > 1.2 * get("idle_w"); }

/* ---- NVML's functions: a handle is the place of its board, from 1 ----------------------------- */

typedef void *dev;
#define PLACE(d) ((int)(intptr_t)(d) - 1)
static ret text(char *out, unsigned room, const char *value) { snprintf(out, room, "%s", value); return OK; }

ret nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    read_settings();
    if (get("init") > 0) return (ret)get("init");
    initialised = 1;
    return OK;
}
ret nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
ret nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(ret code) {
    static char words[32];
    snprintf(words, sizeof words, "code %u", code);
    return words;
}
ret nvmlSystemGetDriverVersion(char *out, unsigned room) {
    ret code = enter(0);
    return code ? code : text(out, room, "580.00");
}
ret nvmlDeviceGetCount_v2(unsigned *count) {
    ret code = enter(0);
    *count = (unsigned)n_devices;
    return code;
}
static ret handle(int index, dev *d) {
    if (!strcmp(devices[index].state, "lost")) return LOST;
    if (!strcmp(devices[index].state, "denied")) return NO_PERMISSION;
    *d = (dev)(intptr_t)(index + 1);
    return OK;
}
ret nvmlDeviceGetHandleByIndex_v2(unsigned index, dev *d) {
    ret code = enter(0);
    return code ? code : (int)index < n_devices ? handle((int)index, d) : INVALID;
}
ret nvmlDeviceGetHandleByUUID(const char *uuid, dev *d) {
    ret code = enter(0);
    for (int i = 0; !code && i < n_devices; i++)
        if (!strcmp(devices[i].uuid, uuid)) return handle(i, d);
    return code ? code : NOT_FOUND;
}
ret nvmlDeviceGetUUID(dev d, char *out, unsigned room) {
    ret code = enter(0);
    return code ? code : text(out, room, devices[PLACE(d)].uuid);
}
ret nvmlDeviceGetName(dev d, char *out, unsigned room) {
    (void)d;
    ret code = enter(0);
    return code ? code : text(out, room, "Stand-in board");
}
ret nvmlDeviceGetVbiosVersion(dev d, char *out, unsigned room) {
    (void)d;
    ret code = enter(0);
    return code ? code : get("vbios") > 0 ? (ret)get("vbios") : text(out, room, "96.00.00.00.01");
}
ret nvmlDeviceGetMigMode(dev d, unsigned *now, unsigned *next) {
    (void)d;
    ret code = enter(MIG_MODE);
    *now = *next = get("mig") > 0;
    return code;
}
ret nvmlDeviceGetEccMode(dev d, unsigned *now, unsigned *next) {
    (void)d;
    *now = *next = 1;
    return enter(0);
}
ret nvmlDeviceGetEnforcedPowerLimit(dev d, unsigned *mw) {
    (void)d;
    *mw = (unsigned)(1000 * get("limit_w"));
    return enter(0);
}
ret nvmlDeviceGetMaxClockInfo(dev d, unsigned kind, unsigned *mhz) {
    (void)d;
    *mhz = kind == 2 ? 2619 : 1980;
    return enter(0);
}
ret nvmlDeviceGetClockInfo(dev d, unsigned kind, unsigned *mhz) {
    ret code = enter(CLOCKS);
    if (!code) *mhz = kind == 2 ? 2619 : busy(PLACE(d)) ? (unsigned)get("sm_mhz") : 345;
    return code;
}
ret nvmlDeviceGetTemperature(dev d, unsigned sensor, unsigned *celsius) {
    (void)sensor;
    ret code = enter(0);
    if (!code) *celsius = (unsigned)(28 + 0.05 * mean_w(PLACE(d), now_ms(PLACE(d)), 20000));
    return code;
}
#ifndef OLD_DRIVER
ret nvmlDeviceGetCurrentClocksEventReasons(dev d, unsigned long long *bits) {
    ret code = enter(REASONS);
    if (!code) *bits = (unsigned long long)get("reasons") | (busy(PLACE(d)) ? 0 : 1);
    return code;
}
#endif
typedef struct { unsigned pid; unsigned long long memory; unsigned gpu, compute; } process_t;
ret nvmlDeviceGetComputeRunningProcesses_v3(dev d, unsigned *count, process_t *found) {
    (void)d;
    ret code = enter(0);
    unsigned room = *count, others = (unsigned)get("others");
    *count = others;
    if (code || others > room) return code ? code : 7;
    for (unsigned i = 0; i < others; i++) found[i] = (process_t){1000000 + i, 1ULL << 30, 0, 0};
    return OK;
}
ret nvmlDeviceGetPowerUsage(dev d, unsigned *mw) {
    ret code = enter(POWER_USAGE);
    const fault_t *f = now_faulty("read", POWER_USAGE);
    if (!code) *mw = f ? (unsigned)f->value : (unsigned)(1000 * published_w(PLACE(d), get("average_ms")));
    return code;
}

typedef union { unsigned ui; unsigned long long ull; double d; } value_t;
typedef struct { unsigned id, scope; long long time, latency; unsigned type; ret code; value_t value; } field_t;

static void fill(int index, field_t *f) {
    const fault_t *planted = now_faulty("fault", (int)f->id);
    double held;
    f->code = planted ? (ret)planted->value : OK;
    if (f->code) return;
    f->value.ull = 0;
    f->type = 3;
    switch (f->id) {
    case 186: case 185:
        if (f->scope > 1) { f->code = NOT_SUPPORTED; return; }
        f->type = 1;
        f->value.ui = (unsigned)(1000 * published_w(index, get(f->id == 186 ? "window_ms" : "average_ms")) + 0.5);
        break;
    case 83:
        if (f->scope) { f->code = NOT_SUPPORTED; return; }
        f->value.ull = counter_mj(index);
        break;
    case 74: energy_at(index, now_ms(index), &held); f->value.ull = (unsigned long long)(1e9 * held); break;
    case 75: break;
    default: f->code = NOT_SUPPORTED;
    }
    const fault_t *read = now_faulty("read", (int)f->id);
    if (read && f->type == 1) f->value.ui = (unsigned)read->value;
    if (read && f->type == 3) f->value.ull = (unsigned long long)read->value;
}
ret nvmlDeviceGetFieldValues(dev d, int count, field_t *found) {
    ret code = enter(FIELD_VALUES);
    for (int i = 0; !code && i < count; i++) {
        found[i].time = (long long)(now_s() * 1e6);
        found[i].latency = 500;
        fill(PLACE(d), &found[i]);
    }
    return code;
}
