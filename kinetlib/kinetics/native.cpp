/* Rodas4 of Hairer and Wanner for one mass-action network; see kinetlib/integrate.py.
 *
 * As many trajectories as two vector registers hold advance in lock step, one a lane, each with its
 * own time and step size. A lane whose trajectory has ended takes the next one. No operation mixes
 * lanes, so a trajectory's values depend neither on its neighbours nor on how many lanes there are.
 * Names in dollars are filled in by native_source.py. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#ifndef WIDTH /* doubles in a vector register */
#if defined(__AVX512F__)
#define WIDTH 8
#elif defined(__AVX__)
#define WIDTH 4
#else
#define WIDTH 2
#endif
#endif

enum { N = $n_species, R = $n_reactions, ENTRIES = $n_entries, LANES = 2 * WIDTH };
enum { SUCCESS, STEP_BUDGET, STEP_UNDERFLOW, NOT_FINITE };

static const double GAMMA_INVERSE = 4.0, SMALLEST_STEP = 2.2250738585072014e-308;

typedef double reals __attribute__((vector_size(8 * WIDTH)));
typedef int64_t integers __attribute__((vector_size(8 * WIDTH)));

/* Two registers at once: while the processor waits for one result it works on the other. (A vector
 * type of twice the width would say the same, but compilers keep such a one in memory.) */
template <typename part, typename lane> struct pair {
    part a, b;
    lane operator[](int l) const { return l < WIDTH ? a[l] : b[l - WIDTH]; }
    void set(int l, lane x) {
        if (l < WIDTH) a[l] = x;
        else b[l - WIDTH] = x;
    }
};
using vec = pair<reals, double>;
using bits = pair<integers, int64_t>;

static inline vec all(double x) { return {x - reals{}, x - reals{}}; }
static inline bits all(int64_t x) { return {x - integers{}, x - integers{}}; }

#define ARITHMETIC(op)                                                                             \
    static inline vec operator op(vec x, vec y) { return {x.a op y.a, x.b op y.b}; }               \
    static inline vec operator op(double x, vec y) { return {x op y.a, x op y.b}; }                \
    static inline vec operator op(vec x, double y) { return {x.a op y, x.b op y}; }
#define COMPARISON(op)                                                                             \
    static inline bits operator op(vec x, vec y) { return {x.a op y.a, x.b op y.b}; }              \
    static inline bits operator op(vec x, double y) { return {x.a op y, x.b op y}; }               \
    static inline bits operator op(bits x, int64_t y) { return {x.a op y, x.b op y}; }
#define LOGIC(op)                                                                                  \
    static inline bits operator op(bits x, bits y) { return {x.a op y.a, x.b op y.b}; }
ARITHMETIC(+) ARITHMETIC(-) ARITHMETIC(*) ARITHMETIC(/)
COMPARISON(<) COMPARISON(<=) COMPARISON(>) COMPARISON(>=)
LOGIC(&) LOGIC(|) LOGIC(-)
static inline vec operator-(vec x) { return {-x.a, -x.b}; }
static inline bits operator~(bits x) { return {~x.a, ~x.b}; }
static inline vec &operator+=(vec &x, vec y) { return x = x + y; }
static inline vec &operator-=(vec &x, vec y) { return x = x - y; }
static inline vec &operator*=(vec &x, vec y) { return x = x * y; }

static inline bits as_bits(vec x) { return {(integers)x.a, (integers)x.b}; }
static inline vec as_reals(bits x) { return {(reals)x.a, (reals)x.b}; }
static inline vec select(bits mask, vec x, vec y) {
    return as_reals((mask & as_bits(x)) | (~mask & as_bits(y)));
}
static inline int any(bits mask) {
    const integers both = mask.a | mask.b;
    int64_t found = 0;
    for (int l = 0; l < WIDTH; l++) found |= both[l];
    return found != 0;
}
/* The sign bit of each lane, so that signs can be combined and negated. */
static inline bits sign(vec x) { return as_bits(x) & all(INT64_MIN); }
static inline vec size(vec x) { return as_reals(as_bits(x) & all(INT64_MAX)); }
static inline vec with_sign(vec x, bits sign) { return as_reals(as_bits(x) | sign); }
static inline vec larger(vec x, vec y) { return select(x > y, x, y); }
static inline reals root(reals x) {
    for (int l = 0; l < WIDTH; l++) x[l] = sqrt(x[l]);
    return x;
}
static inline vec root(vec x) { return {root(x.a), root(x.b)}; }

/* A reaction that lacks a reactant (a negative concentration) runs backwards: forwards, it would
 * drive two negative reactants to minus infinity in finite time. */
static inline void rhs(const vec *__restrict k, const vec *__restrict y, vec *__restrict f) {
    $rhs
}

/* diagonal I - J(y), then its LU factors without pivoting; a pivot holds its inverse. */
static inline void factorise(const vec *__restrict k, const vec *__restrict y, vec diagonal,
                             vec *__restrict w) {
    $matrix
    $factorise
}

static inline void solve(const vec *__restrict w, vec *__restrict b) {
    $solve
}

/* One step from y, with the LU factors w and the inverse of its length. f(stage, at, result) is the
 * rate law, or what stands in its place for something that is carried along with the values. */
template <typename law>
static inline void step(const law &f, const vec *__restrict w, const vec *__restrict y, vec inverse,
                        vec *__restrict y_new, vec s[6][N]) {
    vec u[N];
    f(0, y, s[0]);
    solve(w, s[0]);

    for (int i = 0; i < N; i++) u[i] = y[i] + 1.544 * s[0][i];
    f(1, u, s[1]);
    for (int i = 0; i < N; i++) s[1][i] += inverse * (-5.6688 * s[0][i]);
    solve(w, s[1]);

    for (int i = 0; i < N; i++)
        u[i] = y[i] + (0.9466785280815826 * s[0][i] + 0.2557011698983284 * s[1][i]);
    f(2, u, s[2]);
    for (int i = 0; i < N; i++)
        s[2][i] += inverse * (-2.430093356833875 * s[0][i] - 0.2063599157091915 * s[1][i]);
    solve(w, s[2]);

    for (int i = 0; i < N; i++)
        u[i] = y[i] + (3.314825187068521 * s[0][i] + 2.896124015972201 * s[1][i]
                       + 0.9986419139977817 * s[2][i]);
    f(3, u, s[3]);
    for (int i = 0; i < N; i++)
        s[3][i] += inverse * (-0.1073529058151375 * s[0][i] - 9.594562251023355 * s[1][i]
                              - 20.47028614809616 * s[2][i]);
    solve(w, s[3]);

    for (int i = 0; i < N; i++)
        u[i] = y[i] + (1.221224509226641 * s[0][i] + 6.019134481288629 * s[1][i]
                       + 12.53708332932087 * s[2][i] - 0.6878860361058950 * s[3][i]);
    f(4, u, s[4]);
    for (int i = 0; i < N; i++)
        s[4][i] += inverse * (7.496443313967647 * s[0][i] - 10.24680431464352 * s[1][i]
                              - 33.99990352819905 * s[2][i] + 11.70890893206160 * s[3][i]);
    solve(w, s[4]);

    for (int i = 0; i < N; i++) u[i] += s[4][i];
    f(5, u, s[5]);
    for (int i = 0; i < N; i++)
        s[5][i] += inverse * (8.083246795921522 * s[0][i] - 7.981132988064893 * s[1][i]
                              - 31.52159432874371 * s[2][i] + 16.31930543123136 * s[3][i]
                              - 6.058818238834054 * s[4][i]);
    solve(w, s[5]);
    for (int i = 0; i < N; i++) y_new[i] = u[i] + s[5][i];
}

/* Root mean square of the error relative to the tolerance; infinite where it is not finite. */
static inline vec error_norm(const vec *y, const vec *y_new, const vec *error, double rtol,
                             const vec *atol) {
    vec total = all(0.0), reach = all(0.0);
    for (int i = 0; i < N; i++) {
        const vec magnitude = larger(size(y[i]), size(y_new[i]));
        const vec ratio = error[i] / (atol[i] + rtol * magnitude);
        total += ratio * ratio;
        reach += size(y_new[i]);
    }
    const vec norm = root(total / (double)N);
    const vec huge = all(1.7976931348623157e308);
    return select((norm <= huge) & (reach <= huge), norm, all(INFINITY));
}

/* The absolute tolerance of a species is atol times its scale; peak, if
 * it is wanted, takes its largest magnitude. */
typedef struct {
    const double *constants, *initial, *times, *scale;
    double *out, *peak;
    int64_t *status, *n_steps;
    int64_t n, n_times, times_step, scale_step, max_steps;
    double rtol, atol;
} work;

/* What each lane is at: its trajectory (-1 where it is idle), its tolerances, its largest values so
 * far, the step to try, the time of its next and last output, how many outputs are written, how many
 * steps were tried, and whether the last one was rejected. */
typedef struct {
    vec k[R], y[N], atol[N], peak[N], t, h, next, end;
    bits which, done, steps, rejected;
} lanes;

static int all_finite(const double *x, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return 0;
    return 1;
}

struct mass_action {
    const vec *k;
    void operator()(int, const vec *__restrict y, vec *__restrict f) const { rhs(k, y, f); }
};

/* What an integrator carries beside the values: here, nothing. */
struct values_alone {
    mass_action law(const vec *k) { return {k}; }
    void start(const work *, const lanes *, int) {}
    double fastest(const work *, const lanes *, int, double change) { return change; }
    vec follow(const work *, const lanes *, const vec *, vec[6][N], vec, vec error) { return error; }
    void accept(const work *, const lanes *, vec, vec, bits, bits) {}
    void finish(const work *, const lanes *, int) {}
};

template <typename companion>
static void finish(const work *job, lanes *a, companion *beside, int l, int64_t status) {
    const int64_t i = a->which[l], n_times = job->n_times;
    double *out = job->out + i * n_times * N;
    for (int64_t m = a->done[l] * N; m < n_times * N; m++) out[m] = NAN;
    if (job->peak)
        for (int j = 0; j < N; j++)
            job->peak[i * N + j] = status == NOT_FINITE ? NAN : a->peak[j][l];
    beside->finish(job, a, l);
    job->status[i] = status;
    job->n_steps[i] = a->steps[l];
    a->which.set(l, -1);
}

/* The fastest of some rates of change f of y, in tolerances a unit of time, or `change`. */
static double fastest_of(const work *job, const vec *f, const vec *y, const vec *atol, int l,
                         double change) {
    for (int i = 0; i < N; i++)
        change = fmax(change, fabs(f[i][l]) / (atol[i][l] + job->rtol * fabs(y[i][l])));
    return change;
}

/* Step over which an explicit Euler step changes the state by about its tolerance. */
template <typename companion>
static double first_step(const work *job, const lanes *a, companion *beside, int l) {
    vec f[N];
    rhs(a->k, a->y, f);
    const double change = beside->fastest(job, a, l, fastest_of(job, f, a->y, a->atol, l, 0.0));
    return change > 0.0 && isfinite(change) ? fmin(a->end[l], 1.0 / change) : a->end[l];
}

/* Give a lane the next trajectory that needs a step; return where to go on. */
template <typename companion>
static int64_t load(const work *job, lanes *a, companion *beside, int l, int64_t next) {
    for (; next < job->n; next++) {
        const double *k = job->constants + next * R, *y = job->initial + next * N;
        const double *times = job->times + next * job->times_step;
        const double *scale = job->scale + next * job->scale_step;
        a->which.set(l, next);
        a->done.set(l, 0), a->steps.set(l, 0), a->rejected.set(l, 0);
        if (!(all_finite(k, R) && all_finite(y, N) && all_finite(times, job->n_times))) {
            finish(job, a, beside, l, NOT_FINITE);
            continue;
        }
        for (int r = 0; r < R; r++) a->k[r].set(l, k[r]);
        for (int i = 0; i < N; i++) a->y[i].set(l, y[i]), a->atol[i].set(l, job->atol * scale[i]);
        if (job->peak)
            for (int i = 0; i < N; i++) a->peak[i].set(l, fabs(y[i]));
        a->t.set(l, 0.0);
        a->end.set(l, times[job->n_times - 1]);
        double *out = job->out + next * job->n_times * N;
        int64_t done = 0;
        for (; done < job->n_times && times[done] <= 0.0; done++)
            memcpy(out + done * N, y, sizeof(double) * N);
        a->done.set(l, done);
        beside->start(job, a, l);
        if (done == job->n_times) {
            finish(job, a, beside, l, SUCCESS);
            continue;
        }
        a->next.set(l, times[done]);
        a->h.set(l, first_step(job, a, beside, l));
        return next + 1;
    }
    /* Nothing left: an idle lane computes on harmless numbers. */
    a->which.set(l, -1);
    for (int r = 0; r < R; r++) a->k[r].set(l, 0.0);
    for (int i = 0; i < N; i++) a->y[i].set(l, 0.0), a->atol[i].set(l, 1.0);
    a->t.set(l, 0.0), a->h.set(l, INFINITY), a->next.set(l, NAN), a->end.set(l, INFINITY);
    return next;
}

/* Dense output: the cubic through a step, by its ends and two combinations of its stages. */
template <typename real> static inline real bow(real s0, real s1, real s2, real s3, real s4) {
    return 10.12623508344586 * s0 - 7.487995877610167 * s1 - 34.80091861555747 * s2
           - 7.992771707568823 * s3 + 1.025137723295662 * s4;
}
template <typename real> static inline real twist(real s0, real s1, real s2, real s3, real s4) {
    return -0.6762803392801253 * s0 + 6.087714651680015 * s1 + 16.43084320892478 * s2
           + 24.76722511418386 * s3 - 6.594389125712872 * s4;
}
static inline double between(double s, double start, double stop, double second, double third) {
    return start * (1.0 - s) + s * (stop + (1.0 - s) * (second + s * third));
}

/* Write the outputs of a lane that lie in its accepted step. */
static void write(const work *job, lanes *a, int l, double t_new, double h, const vec *y_new,
                  vec s[6][N]) {
    const double *times = job->times + a->which[l] * job->times_step;
    double *out = job->out + (a->which[l] * job->n_times + a->done[l]) * N;
    double start[N], stop[N], second[N], third[N];
    for (int i = 0; i < N; i++) {
        start[i] = a->y[i][l], stop[i] = y_new[i][l];
        second[i] = bow(s[0][i][l], s[1][i][l], s[2][i][l], s[3][i][l], s[4][i][l]);
        third[i] = twist(s[0][i][l], s[1][i][l], s[2][i][l], s[3][i][l], s[4][i][l]);
    }
    int64_t done = a->done[l];
    for (; done < job->n_times && times[done] <= t_new; done++, out += N) {
        const double s = (times[done] - a->t[l]) / h;
        for (int i = 0; i < N; i++)
            out[i] = between(s, start[i], stop[i], second[i], third[i]);
    }
    a->done.set(l, done);
    a->next.set(l, done < job->n_times ? times[done] : NAN);
}

template <typename companion> static void advance(const work *job, companion *beside) {
    lanes a;
    memset(&a, 0, sizeof a);
    int64_t next = 0;
    int busy = 0;
    for (int l = 0; l < LANES; l++) {
        next = load(job, &a, beside, l, next);
        busy += a.which[l] >= 0;
    }
    while (busy) {
        vec w[ENTRIES], y_new[N], s[6][N];
        const vec rest = a.end - a.t;
        const vec h = select(a.h < rest, a.h, rest);
        const vec inverse = 1.0 / h;
        factorise(a.k, a.y, GAMMA_INVERSE * inverse, w);
        step(beside->law(a.k), w, a.y, inverse, y_new, s);
        const vec own_error = error_norm(a.y, y_new, s[5], job->rtol, a.atol);
        const vec error = beside->follow(job, &a, w, s, inverse, own_error);
        vec factor = 0.9 / root(root(error));
        factor = select(factor > 0.2, factor, all(0.2));
        factor = select(factor < 6.0, factor, all(6.0));

        const bits underflow = (a.t + h <= a.t) | (h < all(SMALLEST_STEP));
        const bits accepted = (error <= 1.0) & ~underflow;
        /* The last step lands on the end itself, whatever rounding makes of t + h. */
        const vec t_new = select(h >= rest, a.end, a.t + h);
        const bits reached = accepted & (t_new >= a.next);
        a.steps = a.steps - ~underflow;
        beside->accept(job, &a, h, t_new, accepted, reached);
        if (any(reached))
            for (int l = 0; l < LANES; l++)
                if (reached[l]) write(job, &a, l, t_new[l], h[l], y_new, s);
        a.h = h * select(accepted & a.rejected & (factor > 1.0), all(1.0), factor);
        a.rejected = ~accepted;
        a.t = select(accepted, t_new, a.t);
        for (int i = 0; i < N; i++) a.y[i] = select(accepted, y_new[i], a.y[i]);
        if (job->peak)
            for (int i = 0; i < N; i++) a.peak[i] = larger(size(a.y[i]), a.peak[i]);

        if (!any((a.which >= 0) & (underflow | (a.done >= job->n_times) | (a.steps >= job->max_steps))))
            continue;
        for (int l = 0; l < LANES; l++) {
            int64_t ended = -1;
            if (a.which[l] < 0) continue;
            if (underflow[l]) ended = STEP_UNDERFLOW;
            else if (a.done[l] == job->n_times) ended = SUCCESS;
            else if (a.steps[l] >= job->max_steps) ended = STEP_BUDGET;
            if (ended < 0) continue;
            finish(job, &a, beside, l, ended);
            next = load(job, &a, beside, l, next);
            busy -= a.which[l] < 0;
        }
    }
}

/* Output times and scales of a trajectory lie times_step and scale_step after those of the one
 * before; 0 if all share them. */
extern "C" void integrate_block(int64_t n, int64_t n_times, int64_t times_step, int64_t scale_step,
                                const double *constants, const double *initial, const double *times,
                                const double *scale, double rtol, double atol, int64_t max_steps,
                                double *out, int64_t *status, int64_t *n_steps, double *peak) {
    const work job = {constants, initial, times,      scale,      out,       peak, status, n_steps,
                      n,         n_times, times_step, scale_step, max_steps, rtol, atol};
    values_alone beside;
    advance(&job, &beside);
}
