/* Rodas4 of Hairer and Wanner for one mass-action network; see kinetlib/integrate.py.
 *
 * Eight trajectories advance in lock step, one a lane, each with its own time and step size. A lane
 * whose trajectory has ended takes the next one. No operation mixes lanes, so a trajectory's
 * values do not depend on its neighbours. Names in dollars are filled in by _native_source.py. */
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { N = $n_species, R = $n_reactions, ENTRIES = $n_entries, LANES = 8 };
enum { SUCCESS, STEP_BUDGET, STEP_UNDERFLOW, NOT_FINITE };

typedef double vec __attribute__((vector_size(8 * LANES)));
typedef int64_t bits __attribute__((vector_size(8 * LANES)));

static const double GAMMA_INVERSE = 4.0, SMALLEST_STEP = 2.2250738585072014e-308;
static const vec zero = {0}, one = {1, 1, 1, 1, 1, 1, 1, 1};

/* All ones in lanes where x is below zero, so that masks can be combined and negated. */
static inline bits sign(vec x) { return x < zero; }
static inline vec select(bits mask, vec a, vec b) {
    return (vec)((mask & (bits)a) | (~mask & (bits)b));
}
static inline vec size(vec x) { return select(sign(x), -x, x); }
static inline vec with_sign(vec x, bits negative) { return select(negative, -x, x); }
static inline vec all(double x) { return (vec){x, x, x, x, x, x, x, x}; }
static inline vec larger(vec a, vec b) { return select(a > b, a, b); }
static inline vec root(vec x) {
    for (int l = 0; l < LANES; l++) x[l] = sqrt(x[l]);
    return x;
}

/* A reaction that lacks a reactant (a negative concentration) runs backwards: forwards, it would
 * drive two negative reactants to minus infinity in finite time. */
static inline void rhs(const vec *restrict k, const vec *restrict y, vec *restrict f) {
    $rhs
}

/* diagonal I - J(y), then its LU factors without pivoting; a pivot holds its inverse. */
static inline void factorise(const vec *restrict k, const vec *restrict y, vec diagonal,
                             vec *restrict w) {
    $matrix
    $factorise
}

static inline void solve(const vec *restrict w, vec *restrict b) {
    $solve
}

static inline void step(const vec *restrict k, const vec *restrict y, vec h, vec *restrict y_new,
                        vec s[6][N]) {
    const vec inverse = one / h;
    vec w[ENTRIES], u[N];
    factorise(k, y, GAMMA_INVERSE * inverse, w);

    rhs(k, y, s[0]);
    solve(w, s[0]);

    for (int i = 0; i < N; i++) u[i] = y[i] + 1.544 * s[0][i];
    rhs(k, u, s[1]);
    for (int i = 0; i < N; i++) s[1][i] += inverse * (-5.6688 * s[0][i]);
    solve(w, s[1]);

    for (int i = 0; i < N; i++)
        u[i] = y[i] + (0.9466785280815826 * s[0][i] + 0.2557011698983284 * s[1][i]);
    rhs(k, u, s[2]);
    for (int i = 0; i < N; i++)
        s[2][i] += inverse * (-2.430093356833875 * s[0][i] - 0.2063599157091915 * s[1][i]);
    solve(w, s[2]);

    for (int i = 0; i < N; i++)
        u[i] = y[i] + (3.314825187068521 * s[0][i] + 2.896124015972201 * s[1][i]
                       + 0.9986419139977817 * s[2][i]);
    rhs(k, u, s[3]);
    for (int i = 0; i < N; i++)
        s[3][i] += inverse * (-0.1073529058151375 * s[0][i] - 9.594562251023355 * s[1][i]
                              - 20.47028614809616 * s[2][i]);
    solve(w, s[3]);

    for (int i = 0; i < N; i++)
        u[i] = y[i] + (1.221224509226641 * s[0][i] + 6.019134481288629 * s[1][i]
                       + 12.53708332932087 * s[2][i] - 0.6878860361058950 * s[3][i]);
    rhs(k, u, s[4]);
    for (int i = 0; i < N; i++)
        s[4][i] += inverse * (7.496443313967647 * s[0][i] - 10.24680431464352 * s[1][i]
                              - 33.99990352819905 * s[2][i] + 11.70890893206160 * s[3][i]);
    solve(w, s[4]);

    for (int i = 0; i < N; i++) u[i] += s[4][i];
    rhs(k, u, s[5]);
    for (int i = 0; i < N; i++)
        s[5][i] += inverse * (8.083246795921522 * s[0][i] - 7.981132988064893 * s[1][i]
                              - 31.52159432874371 * s[2][i] + 16.31930543123136 * s[3][i]
                              - 6.058818238834054 * s[4][i]);
    solve(w, s[5]);
    for (int i = 0; i < N; i++) y_new[i] = u[i] + s[5][i];
}

/* Root mean square of the error relative to the tolerance; infinite where it is not finite. */
static inline vec error_norm(const vec *y, const vec *y_new, const vec *error, double rtol,
                             double atol) {
    vec total = zero, reach = zero;
    for (int i = 0; i < N; i++) {
        const vec magnitude = larger(size(y[i]), size(y_new[i]));
        const vec ratio = error[i] / (atol + rtol * magnitude);
        total += ratio * ratio;
        reach += size(y_new[i]);
    }
    const vec norm = root(total / (double)N);
    const vec huge = all(1.7976931348623157e308);
    return select((norm <= huge) & (reach <= huge), norm, all(INFINITY));
}

typedef struct {
    const double *constants, *initial, *times;
    double *out;
    int64_t *status, *n_steps;
    int64_t n, n_times, max_steps;
    double rtol, atol;
} work;

typedef struct {
    vec k[R], y[N], t, h, end;
    int64_t which[LANES], done[LANES], steps[LANES];
    int rejected[LANES];
} lanes;

static int all_finite(const double *x, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return 0;
    return 1;
}

static void finish(const work *job, lanes *a, int l, int64_t status) {
    const int64_t i = a->which[l], n_times = job->n_times;
    double *out = job->out + i * n_times * N;
    for (int64_t m = a->done[l] * N; m < n_times * N; m++) out[m] = NAN;
    job->status[i] = status;
    job->n_steps[i] = a->steps[l];
    a->which[l] = -1;
}

/* Step over which an explicit Euler step changes the state by about its tolerance. */
static double first_step(const work *job, const lanes *a, int l) {
    vec f[N];
    double change = 0.0;
    rhs(a->k, a->y, f);
    for (int i = 0; i < N; i++)
        change = fmax(change, fabs(f[i][l]) / (job->atol + job->rtol * fabs(a->y[i][l])));
    return change > 0.0 && isfinite(change) ? fmin(a->end[l], 1.0 / change) : a->end[l];
}

/* Give a lane the next trajectory that needs a step; return where to go on. */
static int64_t load(const work *job, lanes *a, int l, int64_t next) {
    for (; next < job->n; next++) {
        const double *k = job->constants + next * R, *y = job->initial + next * N;
        const double *times = job->times + next * job->n_times;
        a->which[l] = next;
        a->done[l] = a->steps[l] = 0;
        a->rejected[l] = 0;
        if (!(all_finite(k, R) && all_finite(y, N) && all_finite(times, job->n_times))) {
            finish(job, a, l, NOT_FINITE);
            continue;
        }
        for (int r = 0; r < R; r++) a->k[r][l] = k[r];
        for (int i = 0; i < N; i++) a->y[i][l] = y[i];
        a->t[l] = 0.0;
        a->end[l] = times[job->n_times - 1];
        double *out = job->out + next * job->n_times * N;
        for (; a->done[l] < job->n_times && times[a->done[l]] <= 0.0; a->done[l]++)
            memcpy(out + a->done[l] * N, y, sizeof(double) * N);
        if (a->done[l] == job->n_times) {
            finish(job, a, l, SUCCESS);
            continue;
        }
        a->h[l] = first_step(job, a, l);
        return next + 1;
    }
    /* Nothing left: an idle lane computes on harmless numbers. */
    a->which[l] = -1;
    for (int r = 0; r < R; r++) a->k[r][l] = 0.0;
    for (int i = 0; i < N; i++) a->y[i][l] = 0.0;
    a->t[l] = 0.0;
    a->h[l] = a->end[l] = 1.0;
    return next;
}

/* Write the outputs of a lane that lie in its accepted step. */
static void write(const work *job, lanes *a, int l, double t_new, double h, const vec *y_new,
                  const vec *c2, const vec *c3) {
    const double *times = job->times + a->which[l] * job->n_times;
    double *out = job->out + (a->which[l] * job->n_times + a->done[l]) * N;
    double start[N], stop[N], second[N], third[N];
    for (int i = 0; i < N; i++) {
        start[i] = a->y[i][l], stop[i] = y_new[i][l];
        second[i] = c2[i][l], third[i] = c3[i][l];
    }
    for (; a->done[l] < job->n_times && times[a->done[l]] <= t_new; a->done[l]++, out += N) {
        const double s = (times[a->done[l]] - a->t[l]) / h;
        for (int i = 0; i < N; i++)
            out[i] = start[i] * (1.0 - s) + s * (stop[i] + (1.0 - s) * (second[i] + s * third[i]));
    }
}

void integrate_block(int64_t n, int64_t n_times, const double *constants, const double *initial,
                     const double *times, double rtol, double atol, int64_t max_steps, double *out,
                     int64_t *status, int64_t *n_steps) {
    const work job = {constants, initial, times, out, status, n_steps, n, n_times, max_steps, rtol, atol};
    lanes a;
    memset(&a, 0, sizeof a);
    int64_t next = 0;
    int busy = 0;
    for (int l = 0; l < LANES; l++) {
        next = load(&job, &a, l, next);
        busy += a.which[l] >= 0;
    }
    while (busy) {
        vec y_new[N], s[6][N], c2[N], c3[N];
        const vec rest = a.end - a.t;
        const vec h = select(a.h < rest, a.h, rest);
        step(a.k, a.y, h, y_new, s);
        const vec error = error_norm(a.y, y_new, s[5], rtol, atol);
        vec factor = 0.9 / root(root(error));
        factor = select(factor > 0.2, factor, all(0.2));
        factor = select(factor < 6.0, factor, all(6.0));
        for (int i = 0; i < N; i++) {
            c2[i] = 10.12623508344586 * s[0][i] - 7.487995877610167 * s[1][i]
                    - 34.80091861555747 * s[2][i] - 7.992771707568823 * s[3][i]
                    + 1.025137723295662 * s[4][i];
            c3[i] = -0.6762803392801253 * s[0][i] + 6.087714651680015 * s[1][i]
                    + 16.43084320892478 * s[2][i] + 24.76722511418386 * s[3][i]
                    - 6.594389125712872 * s[4][i];
        }
        for (int l = 0; l < LANES; l++) {
            if (a.which[l] < 0) continue;
            int64_t ended = -1;
            if (a.t[l] + h[l] <= a.t[l] || h[l] < SMALLEST_STEP) {
                ended = STEP_UNDERFLOW;
            } else {
                a.steps[l]++;
                if (error[l] > 1.0) {
                    a.rejected[l] = 1;
                    a.h[l] = h[l] * factor[l];
                } else {
                    /* The last step lands on the end itself, whatever rounding makes of t + h. */
                    const double t_new = h[l] >= rest[l] ? a.end[l] : a.t[l] + h[l];
                    write(&job, &a, l, t_new, h[l], y_new, c2, c3);
                    a.t[l] = t_new;
                    for (int i = 0; i < N; i++) a.y[i][l] = y_new[i][l];
                    a.h[l] = h[l] * (a.rejected[l] && factor[l] > 1.0 ? 1.0 : factor[l]);
                    a.rejected[l] = 0;
                    if (a.done[l] == n_times) ended = SUCCESS;
                }
                if (ended < 0 && a.steps[l] >= max_steps) ended = STEP_BUDGET;
            }
            if (ended >= 0) {
                finish(&job, &a, l, ended);
                next = load(&job, &a, l, next);
                busy -= a.which[l] < 0;
            }
        }
    }
}
