-- The store: every object's present revision, and every change that led there.
--
-- A change holds the object's bytes once; `objects` only says which change is the present one. So a write is one row
-- of bytes plus one small row that fits in its page (a HOT update), and history comes for free.
-- Names sort by bytes (collation C), the order in which lists are paged.

-- The one row that hands out revisions. Whoever changes `revision` holds this row's lock until its commit, so revision
-- order is commit order. `holder` may commit without reading what others wrote, because until `holder_until` nobody else
-- may write; '' means that all gateways share.
create table store_writer (
  one boolean primary key default true check (one),
  revision bigint not null,
  compacted bigint not null,
  purged bigint not null,
  holder text not null default '',
  holder_until timestamptz not null default '-infinity'
) with (fillfactor = 10);
insert into store_writer (revision, compacted, purged) values (1, 0, 0);

-- Gateways seen lately. One that is alone may become the holder.
create table store_members (
  id text primary key,
  seen_at timestamptz not null
) with (fillfactor = 10);

create table store_objects (
  resource text collate "C" not null,
  namespace text collate "C" not null,
  name text collate "C" not null,
  revision bigint not null,
  primary key (resource, namespace, name)
) with (fillfactor = 80);

-- kind: 0 added, 1 modified, 2 deleted. previous: the revision this one replaced. batch: whose transaction it was, which
-- is how a gateway that lost its connection during COMMIT learns what became of it.
create table store_changes (
  revision bigint primary key,
  batch bigint not null,
  kind smallint not null,
  resource text collate "C" not null,
  namespace text collate "C" not null,
  name text collate "C" not null,
  previous bigint,
  body bytea not null
) with (toast_tuple_target = 8160);

-- Commits a batch of changes with the revisions base+1, base+2 …; the bodies lie end to end in `p_bodies`, `p_ends` are
-- their ends. Fails with GH001 when the caller's idea of the present is wrong: it may then try again from a fresh read.
-- `p_holder` is the caller when it relies on being the holder, null when it has locked and read the writer row itself.
create function store_commit(
  p_base bigint, p_batch bigint, p_holder text, p_notify boolean, p_lease interval,
  p_added int, p_modified int, p_deleted int,
  p_kinds smallint[], p_resources text[], p_namespaces text[], p_names text[], p_previous bigint[],
  p_ends int[], p_bodies bytea
) returns void language plpgsql as $$
declare
  touched int;
begin
  if p_holder is null then
    update store_writer set revision = p_base + cardinality(p_kinds) where revision = p_base;
  else
    update store_writer set revision = p_base + cardinality(p_kinds), holder_until = clock_timestamp() + p_lease
    where revision = p_base and holder = p_holder;
  end if;
  if not found then
    raise exception 'the writer row has moved on' using errcode = 'GH001';
  end if;

  insert into store_changes (revision, batch, kind, resource, namespace, name, previous, body)
  select p_base + n, p_batch, kind, resource, namespace, name, previous,
         substring(p_bodies from start + 1 for stop - start)
  from unnest(p_kinds, p_resources, p_namespaces, p_names, p_previous, array_prepend(0, p_ends), p_ends)
       with ordinality as u (kind, resource, namespace, name, previous, start, stop, n)
  where kind is not null;

  if p_added > 0 then
    insert into store_objects (resource, namespace, name, revision)
    select resource, namespace, name, p_base + n
    from unnest(p_kinds, p_resources, p_namespaces, p_names) with ordinality as u (kind, resource, namespace, name, n)
    where kind = 0
    on conflict do nothing;
    get diagnostics touched = row_count;
    if touched <> p_added then
      raise exception 'an object that should not be there exists' using errcode = 'GH001';
    end if;
  end if;

  if p_modified > 0 then
    update store_objects o set revision = p_base + u.n
    from unnest(p_kinds, p_resources, p_namespaces, p_names, p_previous)
         with ordinality as u (kind, resource, namespace, name, previous, n)
    where u.kind = 1 and o.resource = u.resource and o.namespace = u.namespace and o.name = u.name
      and o.revision = u.previous;
    get diagnostics touched = row_count;
    if touched <> p_modified then
      raise exception 'an object has another revision than expected' using errcode = 'GH001';
    end if;
  end if;

  if p_deleted > 0 then
    delete from store_objects o
    using unnest(p_kinds, p_resources, p_namespaces, p_names, p_previous) as u (kind, resource, namespace, name, previous)
    where u.kind = 2 and o.resource = u.resource and o.namespace = u.namespace and o.name = u.name
      and o.revision = u.previous;
    get diagnostics touched = row_count;
    if touched <> p_deleted then
      raise exception 'an object has another revision than expected' using errcode = 'GH001';
    end if;
  end if;

  if p_notify then
    perform pg_notify('store_changes', '');
  end if;
end
$$;
