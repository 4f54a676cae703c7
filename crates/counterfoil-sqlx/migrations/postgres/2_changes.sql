-- Tells on the channel `counterfoil_changes` what no cache may go on holding, whoever makes the change: a payload is the
-- token's id and its selectors, before the change and after it, or `*` for all tokens. Uses are kept in a table of their
-- own and tell nothing. Nor does a token that is made: nobody holds anything of it, and commits that tell something wait for
-- one another.
--
-- Each trigger fires ALWAYS: for what logical replication writes, and under `session_replication_role = replica`, too.

CREATE FUNCTION counterfoil_tell_token() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
    -- A text that is too long to be told would stand in the way of the change itself. The id comes first and fits.
    PERFORM pg_catalog.pg_notify('counterfoil_changes', pg_catalog.left(pg_catalog.concat_ws(
        ' ', OLD.id, OLD.selector, OLD.retiring_selector, OLD.spent_selector), 1900));
    IF TG_OP <> 'DELETE' THEN
        PERFORM pg_catalog.pg_notify('counterfoil_changes', pg_catalog.left(pg_catalog.concat_ws(
            ' ', NEW.id, NEW.selector, NEW.retiring_selector, NEW.spent_selector), 1900));
    END IF;
    RETURN NULL;
END
$function$;

CREATE TRIGGER counterfoil_token_went AFTER DELETE ON counterfoil_token
    FOR EACH ROW EXECUTE FUNCTION counterfoil_tell_token();

CREATE TRIGGER counterfoil_token_changed AFTER UPDATE ON counterfoil_token
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION counterfoil_tell_token();

CREATE FUNCTION counterfoil_tell_selector() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
    PERFORM pg_catalog.pg_notify('counterfoil_changes', pg_catalog.left(pg_catalog.concat_ws(
        ' ', OLD.token_id, OLD.selector), 1900));
    RETURN NULL;
END
$function$;

-- A selector that is new takes nothing back. One that goes with its token is told as well: it cannot be told apart from
-- one that another trigger of the host's deletes.
CREATE TRIGGER counterfoil_selector_changed AFTER UPDATE OR DELETE ON counterfoil_selector
    FOR EACH ROW EXECUTE FUNCTION counterfoil_tell_selector();

CREATE FUNCTION counterfoil_tell_all() RETURNS trigger LANGUAGE plpgsql AS $function$
BEGIN
    PERFORM pg_catalog.pg_notify('counterfoil_changes', '*');
    RETURN NULL;
END
$function$;

CREATE TRIGGER counterfoil_token_emptied AFTER TRUNCATE ON counterfoil_token
    FOR EACH STATEMENT EXECUTE FUNCTION counterfoil_tell_all();

CREATE TRIGGER counterfoil_selector_emptied AFTER TRUNCATE ON counterfoil_selector
    FOR EACH STATEMENT EXECUTE FUNCTION counterfoil_tell_all();

ALTER TABLE counterfoil_token
    ENABLE ALWAYS TRIGGER counterfoil_token_went,
    ENABLE ALWAYS TRIGGER counterfoil_token_changed,
    ENABLE ALWAYS TRIGGER counterfoil_token_emptied;

ALTER TABLE counterfoil_selector
    ENABLE ALWAYS TRIGGER counterfoil_selector_changed,
    ENABLE ALWAYS TRIGGER counterfoil_selector_emptied;

UPDATE counterfoil_schema SET version = 2;
