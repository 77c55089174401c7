/* Derivatives of the trajectories, carried beside them: appended to native.cpp.
 *
 * A step of the method solves (1/(gamma h) I - J) U_i = f(u_i) + sum_j C_ij U_j / h with J = J(y).
 * Differentiated with the step length held, a stage is one more solve with the same LU factors,
 *     (1/(gamma h) I - J) dU_i = df(u_i) + dJ U_i + sum_j C_ij dU_j / h,
 *     df = J(u_i) du_i + f_p(u_i),    dJ U_i = H(y)[dy, U_i] + J_p(y) U_i,
 * so the tangent is the exact derivative of the computed values. A reaction's rate r enters f by its
 * stoichiometry, and so do its slopes, its second derivatives and, as dr / d ln k = r, itself. */

LOGIC(^)

enum { SLOPES = $n_slopes, CURVATURES = $n_curvatures, BENDS = $n_bends };

static inline void rates(const vec *__restrict k, const vec *__restrict y, vec *__restrict rate) {
    $rates
}

/* First derivatives of the rates, one a reaction and reactant. */
static inline void slopes(const vec *__restrict k, const vec *__restrict y, vec *__restrict slope) {
    $slopes
}

/* Second derivatives, one a reaction and pair of reactants. */
static inline void curvatures(const vec *__restrict k, const vec *__restrict y,
                              vec *__restrict curvature) {
    $curvatures
}

/* How slopes change along x; only those of reactions between molecules do. */
static inline void bends(const vec *__restrict curvature, const vec *__restrict x,
                         vec *__restrict bend) {
    $bends
}

/* How rates change along x. */
static inline void along_slopes(const vec *__restrict slope, const vec *__restrict x,
                                vec *__restrict rate) {
    $along_slopes
}
static inline void along_bends(const vec *__restrict bend, const vec *__restrict x,
                               vec *__restrict rate) {
    $along_bends
}

static inline void balance(const vec *__restrict rate, vec *__restrict f) {
    $balance
}

/* What the tangents of a step need of a stage: slopes at u, J(y)'s change along U, and the direct
 * effect of each constant, by its reaction. */
typedef struct {
    vec slope[SLOPES], bend[BENDS], direct[R];
} derivative;

/* The rate law, keeping its derivatives. */
struct differentiated {
    const vec *k;
    derivative *at;
    void operator()(int stage, const vec *__restrict y, vec *__restrict f) const {
        rhs(k, y, f);
        rates(k, y, at[stage].direct);
        slopes(k, y, at[stage].slope);
    }
};

/* The right-hand side of a tangent dy; `which` is the constant it belongs to, if below R. */
struct tangent_law {
    const derivative *at;
    const vec *dy;
    int which;
    void operator()(int stage, const vec *__restrict du, vec *__restrict f) const {
        vec rate[R];
        along_slopes(at[stage].slope, du, rate);
        along_bends(at[stage].bend, dy, rate);
        if (which < R) rate[which] += at[stage].direct[which];
        balance(rate, f);
    }
};

/* Tangents first to last: those by ln k of the R constants, then those by the N initial values.
 * Where they are tested, a step is accepted if the error of each is within the tolerance, too. */
struct tangents {
    int first, last, tested;
    double *out;
    vec dy[R + N][N], dy_new[R + N][N], second[R + N][N], third[R + N][N], atol[R + N][N];
    derivative at[6];

    int count() const { return last - first; }

    differentiated law(const vec *k) { return {k, at}; }

    double *place(const work *job, const lanes *a, int l, int64_t output) const {
        return out + (a->which[l] * job->n_times + output) * N * count();
    }

    /* A lane begins: constants have done nothing yet, an initial value has changed itself. */
    void start(const work *job, const lanes *a, int l) {
        double *value = place(job, a, l, 0);
        const double *scale = job->scale + a->which[l] * job->scale_step;
        for (int p = first; p < last; p++)
            for (int i = 0; i < N; i++) {
                dy[p][i].set(l, p == R + i ? 1.0 : 0.0);
                /* By an initial value, a tangent is a ratio of two concentrations. */
                atol[p][i].set(l, a->atol[i][l] / (p < R ? 1.0 : scale[p - R]));
            }
        for (int64_t done = 0; done < a->done[l]; done++)
            for (int i = 0; i < N; i++)
                for (int p = first; p < last; p++) *value++ = dy[p][i][l];
    }

    /* Where the values stand still at first, the tangents need not. */
    double fastest(const work *job, const lanes *a, int l, double change) {
        vec f[N];
        if (!tested) return change;
        memset(at[0].bend, 0, sizeof at[0].bend);
        differentiated{a->k, at}(0, a->y, f);
        for (int p = first; p < last; p++) {
            tangent_law{at, dy[p], p}(0, dy[p], f);
            change = fastest_of(job, f, dy[p], atol[p], l, change);
        }
        return change;
    }

    void finish(const work *job, const lanes *a, int l) {
        double *end = place(job, a, l, job->n_times);
        for (double *value = place(job, a, l, a->done[l]); value < end; value++) *value = NAN;
    }

    /* The values have taken the stages s; try the same step for every tangent. */
    vec follow(const work *job, const lanes *a, const vec *w, vec s[6][N], vec inverse, vec error) {
        vec curvature[CURVATURES], effect[R], d[6][N];
        curvatures(a->k, a->y, curvature);
        for (int i = 0; i < 6; i++) {
            bends(curvature, s[i], at[i].bend);
            along_slopes(at[0].slope, s[i], effect); /* the first stage is at y itself */
            for (int r = 0; r < R; r++) at[i].direct[r] += effect[r];
        }
        for (int p = first; p < last; p++) {
            step(tangent_law{at, dy[p], p}, w, dy[p], inverse, dy_new[p], d);
            for (int i = 0; i < N; i++) {
                second[p][i] = bow(d[0][i], d[1][i], d[2][i], d[3][i], d[4][i]);
                third[p][i] = twist(d[0][i], d[1][i], d[2][i], d[3][i], d[4][i]);
            }
            if (tested)
                error = larger(error, error_norm(dy[p], dy_new[p], d[5], job->rtol, atol[p]));
        }
        return error;
    }

    void accept(const work *job, const lanes *a, vec h, vec t_new, bits accepted, bits reached) {
        if (any(reached))
            for (int l = 0; l < LANES; l++)
                if (reached[l]) write(job, a, l, t_new[l], h[l]);
        for (int p = first; p < last; p++)
            for (int i = 0; i < N; i++) dy[p][i] = select(accepted, dy_new[p][i], dy[p][i]);
    }

    /* Write the outputs of a lane that lie in its accepted step. */
    void write(const work *job, const lanes *a, int l, double t_new, double h) const {
        const double *times = job->times + a->which[l] * job->times_step;
        double *value = place(job, a, l, a->done[l]);
        for (int64_t m = a->done[l]; m < job->n_times && times[m] <= t_new; m++) {
            const double x = (times[m] - a->t[l]) / h;
            for (int i = 0; i < N; i++)
                for (int p = first; p < last; p++)
                    *value++ =
                        between(x, dy[p][i][l], dy_new[p][i][l], second[p][i][l], third[p][i][l]);
        }
    }
};

/* As integrate_block, with the tangents: (n, n_times, N, last - first) numbers. */
extern "C" void sensitivity_block(int64_t n, int64_t n_times, int64_t times_step,
                                  int64_t scale_step, const double *constants,
                                  const double *initial, const double *times, const double *scale,
                                  double rtol, double atol, int64_t max_steps, double *out,
                                  int64_t *status, int64_t *n_steps, double *peak, int64_t first,
                                  int64_t last, int64_t tested, double *tangents_out) {
    const work job = {constants, initial, times,      scale,      out,       peak, status, n_steps,
                      n,         n_times, times_step, scale_step, max_steps, rtol, atol};
    tangents beside;
    memset(&beside, 0, sizeof beside);
    beside.first = first, beside.last = last, beside.tested = tested, beside.out = tangents_out;
    advance(&job, &beside);
}
