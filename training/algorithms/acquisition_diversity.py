"""Which tasks to ask first so that they differ from each other: clusters, typical examples, near-duplicates.

Vectors [N, D] have length 1, so that an inner product is a cosine. Clustering is for the head of a queue,
some thousand tasks; whatever is longer is sampled or cut before it comes here.
"""

import numpy as np

N_NEIGHBOURS = 20  # of TypiClust and of the density
NEARLY_EQUAL = 0.97  # cosine from which on the second of two texts teaches little
FEW_LABELS_A_CLASS = 4  # below that what is typical teaches more than what is uncertain
SHORTLIST_A_PLACE = 10  # tasks by value for each place in the head of a queue
CANDIDATES_A_PLACE = 5  # of which so many, by value and density, are spread over clusters
REFERENCE = 2000  # texts of the queue among which neighbours are looked for
MAX_ITERATIONS = 25
AT_ONCE = 4096  # rows of a similarity matrix


def clusters(vectors: np.ndarray, n_clusters: int, *, rng: np.random.Generator) -> np.ndarray:
    """Return the cluster [N] of each vector by spherical k-means (Dhillon and Modha 2001).

    Centres start at vectors drawn as in k-means++ (Arthur and Vassilvitskii 2007): far from those before.

    >>> found = clusters(np.array([[1.0, 0.0], [0.99, 0.1], [0.0, 1.0]]), 2, rng=np.random.default_rng(0))
    >>> bool(found[0] == found[1] != found[2])
    True
    """
    vectors = np.asarray(vectors, dtype=np.float32)
    n_clusters = min(n_clusters, len(vectors))
    if n_clusters < 2:
        return np.zeros(len(vectors), dtype=np.int64)
    centres = vectors[_spread(vectors, n_clusters, rng)]
    member = np.full(len(vectors), -1)
    for _ in range(MAX_ITERATIONS):
        nearest = np.argmax(vectors @ centres.T, axis=1)
        if (nearest == member).all():
            break
        member = nearest
        sums = np.zeros_like(centres)
        np.add.at(sums, member, vectors)
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(norms > 1e-9, sums / np.maximum(norms, 1e-9), centres)  # an empty one stays
    return member


def _spread(vectors: np.ndarray, n_chosen: int, rng: np.random.Generator) -> np.ndarray:
    """Return n_chosen places, each drawn by its squared distance from those before it."""
    chosen = [int(rng.integers(len(vectors)))]
    distance = np.full(len(vectors), np.inf, dtype=np.float64)
    while len(chosen) < n_chosen:
        distance = np.minimum(distance, np.maximum(2 - 2 * (vectors @ vectors[chosen[-1]]), 0))
        total = distance.sum()
        if total <= 1e-9:  # fewer different vectors than clusters
            break
        chosen.append(int(np.searchsorted(np.cumsum(distance), rng.random() * total)))
    return np.minimum(np.array(chosen), len(vectors) - 1)


def density(
    vectors: np.ndarray, reference: np.ndarray | None = None, *, n_neighbours: int = N_NEIGHBOURS
) -> np.ndarray:
    """Return [N] the mean cosine of each vector to its nearest others: how typical it is.

    reference [R, D]: among which the nearest are looked for: the vectors themselves if None, and
    then none counts for itself. TypiClust's typicality is the inverse of the mean distance (Hacohen, Dekel,
    Weinshall 2022, eq. 4); for vectors of length 1 the mean cosine orders alike and is bounded. N times R
    products.

    >>> density(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), n_neighbours=1).tolist()
    [1.0, 1.0, 0.0]
    """
    vectors = np.asarray(vectors, dtype=np.float32)
    others = vectors if reference is None else np.asarray(reference, dtype=np.float32)
    k = min(n_neighbours, len(others) - 1)
    if k < 1:
        return np.zeros(len(vectors), dtype=np.float32)
    found = np.empty(len(vectors), dtype=np.float32)
    for start in range(0, len(vectors), AT_ONCE):
        cosines = vectors[start : start + AT_ONCE] @ others.T
        if reference is None:
            rows = np.arange(len(cosines))
            cosines[rows, start + rows] = -1.0  # itself
        found[start : start + AT_ONCE] = np.partition(cosines, -k, axis=1)[:, -k:].mean(axis=1)
    return found


def typical_first(
    vectors: np.ndarray, labelled: np.ndarray, n_wanted: int, *, rng: np.random.Generator
) -> np.ndarray:
    """Return up to n_wanted places of unlabelled vectors, the most telling first: for a campaign's start.

    TypiClust (Hacohen, Dekel, Weinshall 2022, algorithm 1): as many clusters as there will be labels; from
    the clusters without a label, the largest first, the vector that is most typical in its cluster. Where
    uncertainty is still noise, what is typical teaches most.

    labelled: bool [N].

    >>> vectors = np.array([[1.0, 0.0], [0.99, 0.14], [0.96, 0.28], [0.0, 1.0]])
    >>> typical_first(vectors, np.zeros(4, bool), 2, rng=np.random.default_rng(0)).tolist()
    [1, 3]
    """
    n_clusters = int(min(labelled.sum() + n_wanted, max(len(vectors) // 5, 2)))
    member = clusters(vectors, n_clusters, rng=rng)
    typicality = np.empty(len(vectors), dtype=np.float32)
    for cluster in np.unique(member):
        rows = np.flatnonzero(member == cluster)
        typicality[rows] = density(vectors[rows])
    open_rows = np.flatnonzero(~labelled)
    turn = _turns(member[open_rows], typicality[open_rows])
    n_labels = np.bincount(member[labelled], minlength=n_clusters)[member[open_rows]]
    size = np.bincount(member, minlength=n_clusters)[member[open_rows]]
    # A label in a cluster is a turn that it has had.
    order = np.lexsort((-typicality[open_rows], -size, turn + n_labels))
    return open_rows[order[:n_wanted]]


def varied_head(
    vectors: np.ndarray, reference: np.ndarray, n_places: int, *, rng: np.random.Generator
) -> np.ndarray:
    """Return an order [M] of a shortlist, given best first, in which what is asked is telling and differs.

    The least certain texts are often those that nobody could decide. So the value, which falls from 2 to 1
    along the shortlist, is multiplied by how typical a text is of all texts, a sample of which is the
    reference [R, D] (information density: Settles and Craven 2008). The best CANDIDATES_A_PLACE a place are
    then spread over n_places clusters; the others follow.
    """
    vectors = np.asarray(vectors, dtype=np.float32)
    value = np.linspace(2.0, 1.0, len(vectors)) * np.maximum(density(vectors, reference), 0.0)
    by_value = np.argsort(-value, kind="stable")
    best, others = np.split(by_value, [CANDIDATES_A_PLACE * n_places])
    order = spread_over_clusters(value[best], vectors[best], n_places, rng=rng)
    return np.concatenate([best[order], others])


def spread_over_clusters(
    scores: np.ndarray, vectors: np.ndarray, n_clusters: int, *, rng: np.random.Generator
) -> np.ndarray:
    """Return an order [N] of all places: the best of each cluster, then the second best of each, and so on.

    Cluster-Margin's round robin (Citovsky et al. 2021, algorithm 1). A text that nearly equals one that comes
    before it in its cluster waits until all others have been.

    >>> scores = np.array([0.9, 0.8, 0.1])
    >>> vectors = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> spread_over_clusters(scores, vectors, 2, rng=np.random.default_rng(0)).tolist()
    [0, 2, 1]
    """
    member = clusters(vectors, n_clusters, rng=rng)
    repeats = repeated(scores, vectors, member)
    turn = _turns(member, scores - repeats * (np.ptp(scores) + 1))
    return np.lexsort((-scores, turn, repeats))


def repeated(scores: np.ndarray, vectors: np.ndarray, member: np.ndarray) -> np.ndarray:
    """Return bool [N]: nearly equal to a vector of the same cluster with a higher score (ties: before it)."""
    found = np.zeros(len(scores), dtype=bool)
    for cluster in np.unique(member):
        rows = np.flatnonzero(member == cluster)
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        for start in range(0, len(rows), AT_ONCE):
            block = np.asarray(vectors[rows[start : start + AT_ONCE]], dtype=np.float32)
            found[rows[start : start + AT_ONCE]] = (np.tril(block @ block.T, -1) >= NEARLY_EQUAL).any(axis=1)
    return found


def _turns(member: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return [N] how many of the same cluster have a higher score."""
    order = np.lexsort((-scores, member))
    starts = np.flatnonzero(np.diff(member[order], prepend=-1))
    turns = np.empty(len(member), dtype=np.int64)
    turns[order] = np.arange(len(member)) - np.repeat(starts, np.diff([*starts, len(member)]))
    return turns
