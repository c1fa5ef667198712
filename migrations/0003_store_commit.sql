-- store_commit anew: the bodies come as an array (its elements are taken as they lie, see src/std/postgres-array.ts).
-- The function of 0001 stays for gateways of the version before, which may still be running.

create function store_commit(
  p_base bigint, p_batch bigint, p_holder text, p_notify boolean, p_lease interval,
  p_added int, p_modified int, p_deleted int,
  p_kinds smallint[], p_resources text[], p_namespaces text[], p_names text[], p_previous bigint[], p_bodies bytea[]
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
  select p_base + n, p_batch, kind, resource, namespace, name, previous, body
  from unnest(p_kinds, p_resources, p_namespaces, p_names, p_previous, p_bodies)
       with ordinality as u (kind, resource, namespace, name, previous, body, n);

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
